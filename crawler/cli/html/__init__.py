"""HTML report: what `site` writes.

charts       numbers as inline SVG, coloured by the style sheet of sheet.py.
page         HTML that stands by itself, for what the commands show in a browser.
site_report  the page that `site` writes, from top to bottom.
"""
