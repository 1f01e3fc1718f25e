CREATE VIEW duplicate_titles AS  -- HTML pages that share their title
SELECT
    page.title AS title,         -- one group
    grouped.copies AS copies,    -- pages in the group
    url_text.url AS url,
    page.depth AS depth,
    page.canonical AS canonical  -- a page that names another one here is an honest copy
FROM (
    SELECT title, count(*) AS copies FROM html_page
    WHERE title <> ''
    GROUP BY title HAVING count(*) > 1
) AS grouped
JOIN html_page AS page ON page.title = grouped.title
JOIN url_text ON url_text.id = page.url_id
ORDER BY grouped.copies DESC, page.title, url_text.url;
