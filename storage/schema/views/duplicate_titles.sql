CREATE VIEW duplicate_titles AS  -- HTML pages with the same title
SELECT
    page.title AS title,         -- the same for all pages of a group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,         -- of the page
    page.depth AS depth,         -- link hops from the nearest seed
    page.canonical AS canonical  -- if it names another page, the copy is a declared one
FROM (
    SELECT title, count(*) AS copies FROM html_page
    WHERE title <> ''
    GROUP BY title HAVING count(*) > 1
) AS grouped
JOIN html_page AS page ON page.title = grouped.title
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.title, url_text.url;
