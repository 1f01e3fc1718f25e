// Gocrawl URL OUTPUT: what a Go programmer writes plainly with net/http and goquery, on all cores.
//
// It reads of a page what the others do, texts of links included, but writes no links: that is less.
// How it is built: tests/bench/peers.py.
package main

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/url"
	"os"
	"strings"
	"sync"

	"github.com/PuerkitoBio/goquery"
)

const tasks = 64

type row struct {
	URL    string `json:"url"`
	Status int    `json:"status,omitempty"` // none if nobody answered
	Title  string `json:"title,omitempty"`
	Digest string `json:"content_hash,omitempty"`
}

// crawl is the frontier of one site and what all tasks share beside it.
type crawl struct {
	client  *http.Client
	rows    chan row
	site    string     // scheme and host, with the slash
	changed *sync.Cond // what is below, and its lock
	seen    map[string]bool
	todo    []string
	open    int // how many of the seen are not done
}

// take waits for a URL; false when all are done.
func (c *crawl) take() (string, bool) {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	for len(c.todo) == 0 {
		if c.open == 0 {
			return "", false
		}
		c.changed.Wait()
	}
	target := c.todo[0]
	c.todo = c.todo[1:]
	return target, true
}

// settle ends what take began, with the targets found there.
func (c *crawl) settle(found map[string]string) {
	c.changed.L.Lock()
	defer c.changed.L.Unlock()
	for target := range found {
		if !c.seen[target] && strings.HasPrefix(target, c.site) {
			c.seen[target] = true
			c.todo = append(c.todo, target)
			c.open++
			c.changed.Signal()
		}
	}
	if c.open--; c.open == 0 {
		close(c.rows)
		c.changed.Broadcast()
	}
}

func (c *crawl) work() {
	var body bytes.Buffer // for all its pages: grown once
	for target, ok := c.take(); ok; target, ok = c.take() {
		page, found := c.visit(target, &body)
		c.rows <- page
		c.settle(found)
	}
}

// visit returns the row of a URL and its distinct links: targets, each with its first text.
func (c *crawl) visit(target string, body *bytes.Buffer) (row, map[string]string) {
	response, err := c.client.Get(target)
	if err != nil {
		return row{URL: target}, nil
	}
	defer response.Body.Close()
	base := response.Request.URL
	page := row{URL: target, Status: response.StatusCode}
	if page.Status != http.StatusOK || !strings.HasPrefix(response.Header.Get("Content-Type"), "text/html") {
		io.CopyN(io.Discard, response.Body, 4<<10) // a connection is used again once its answer is read
		return page, map[string]string{join(base, response.Header.Get("Location")): ""}
	}
	body.Reset()
	if _, err := body.ReadFrom(response.Body); err != nil {
		return row{URL: target}, nil
	}
	page.Digest = fmt.Sprintf("%x", sha256.Sum256(body.Bytes()))
	document, err := goquery.NewDocumentFromReader(body)
	if err != nil {
		return page, nil
	}
	page.Title = strings.TrimSpace(document.Find("title").First().Text())
	found := map[string]string{}
	document.Find("a[href]").Each(func(_ int, anchor *goquery.Selection) {
		if target := join(base, anchor.AttrOr("href", "")); target != "" && found[target] == "" {
			found[target] = strings.Join(strings.Fields(anchor.Text()), " ")
		}
	})
	return page, found
}

// join is the absolute target of a link without its fragment; empty if nobody can fetch it.
func join(base *url.URL, href string) string {
	target, err := base.Parse(strings.TrimSpace(href))
	if err != nil || (target.Scheme != "http" && target.Scheme != "https") {
		return ""
	}
	target.Fragment, target.RawFragment = "", ""
	return target.String()
}

func main() {
	seed, err := url.Parse(os.Args[1])
	quitOn(err)
	file, err := os.Create(os.Args[2])
	quitOn(err)
	first := seed.String()
	asIs := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c := &crawl{
		client:  &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: tasks}, CheckRedirect: asIs},
		rows:    make(chan row, tasks),
		site:    seed.Scheme + "://" + seed.Host + "/",
		changed: sync.NewCond(&sync.Mutex{}),
		seen:    map[string]bool{first: true},
		todo:    []string{first},
		open:    1,
	}
	for i := 0; i < tasks; i++ {
		go c.work()
	}
	output := bufio.NewWriter(file)
	for page := range c.rows {
		quitOn(json.NewEncoder(output).Encode(page))
	}
	quitOn(output.Flush())
}

func quitOn(err error) {
	if err != nil {
		log.Fatal(err)
	}
}
