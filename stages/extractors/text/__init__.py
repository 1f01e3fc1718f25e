"""Text: character encodings, and the text of markup.

charset       detect the encoding of a page as a browser does; labels, conversion to UTF-8, queries
css           the files that a stylesheet or a style attribute names
link_header   the links that an answer names in its headers (RFC 8288)
markup        white space, tokens and refresh directives; count tags
page_text     the text of a page as a reader sees it, line by line
visible_text  the visible text of a page, fast and approximate, for counting and comparing
"""
