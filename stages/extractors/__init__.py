"""Extractors: one file per kind of document; bytes in, a value out, never an exception.

html          read title, links and directives out of one document.
sitemap       read the URLs that a site lists of itself, in any of the forms of sitemaps.org.
sitemap_text  from the bytes of a file to its text, a piece at a time.
sitemap_xml   take the entries out of urlset, sitemapindex, RSS and Atom, as they stream by.
fields/
text/
"""
