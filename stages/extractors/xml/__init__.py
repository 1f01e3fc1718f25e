"""XML: bounded reading of sitemaps and feeds, which nobody has checked before.

sitemap      read the URLs that a site lists of itself, in every form of sitemaps.org
text_stream  decompress and decode a file, one piece at a time
xml_reader   take the entries out of urlset, sitemapindex, RSS and Atom, one piece at a time
mender       correct what is plainly meant otherwise in a document that is not well-formed
xhtml        what an XML parser sees in a document, written as HTML text
"""
