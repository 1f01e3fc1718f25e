"""HTML report: what `site` writes.

charts       numbers as inline SVG, coloured by the style sheet of page.py.
page         self-contained HTML pages and tables.
site_report  the page that `site` writes, from top to bottom.
"""
