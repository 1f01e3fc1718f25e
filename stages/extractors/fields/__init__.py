"""Fields: values that the operator wants of a page besides its links.

collector        what is taken from one page, in bounds, whoever takes it.
field_extractor  what the operator wants of each page besides its links, gathered from the tree that is
maintext         the article of a page without its menus and footers, if an extractor for it is installe
microdata        the items of a document, as the HTML standard writes them in JSON.
page             a parsed document as a plugin sees it, and the text of it that a reader sees.
page_resources   what a browser loads to show a page, besides the page.
plan             what is wanted of each page besides its links, in words that another process understand
select           rules at work on a document.
structured       what a page says of itself for machines, as JSON.
"""
