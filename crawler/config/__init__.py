"""Config: every option, its sources and its checks.

crawl_config   the options of a crawl and of its output; one field declares all about an option.
option_checks  how an option is declared, and which values it may have.
option_files   options in TOML, and seeds in a text file.
environment    the two options that should not be typed on a command line.
seeds          check the URLs that a crawl starts from.
credentials    headers, passwords, cookies and the proxy of the operator, checked and parsed.
patterns       the operator's regular expressions, for URLs and for texts, matched in linear time.
session_file   how to log in to a site before the first page, as TOML.
select_rules   the operator's rules for the values to extract from each page.
number_marks   currencies, factors and the decimal signs of languages: facts for `numbers`.
numbers        one number in the text of a page, or why there is none.
values         the text of a page, parsed as a number, a date or a boolean.
plugins        functions of the operator that read each page: their input and their results.
domains        the registrable domain of a host name, by the public suffix list.
"""
