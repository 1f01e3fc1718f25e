"""Fields: values that the operator wants of a page besides its links.

collector        the values and errors of one page, within bounds
element_text     the text of one element as a rule takes it
field_extractor  carry out a plan on a page: rules, plugins, structured data, text, resources
form             what a browser would send of a log-in form
json_ld          the JSON of a script as sites write it, and what was repaired
microdata        microdata items as JSON
page             a page as a plugin sees it, and its text as a reader sees it
page_resources   images, scripts, styles, fonts and media that a browser loads for a page
plan             what is wanted of each page, in a form that another process can read
select           apply rules (CSS selectors) to a page
structured       JSON-LD, OpenGraph, Twitter cards and microdata as JSON
"""
