"""Text: character encodings, and the text of markup.

charset       detect the encoding of a page as a browser does
markup        white space, tokens, refresh and robots directives; count tags
transcode     encoding labels, conversion to UTF-8, percent-encoding of queries
visible_text  the visible text of a page, fast and approximate, for counting and comparing
"""
