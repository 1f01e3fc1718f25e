"""Config: every option, where it comes from and whether it is valid.

cookie_file    the operator's cookies, read once at the start.
crawl_config   one crawl, as its operator asked for it. Built once, checked once.
credentials    what is sent in the operator's name, checked and taken apart.
domains        which part of a host name its owner registered, by the public suffix list.
environment    the two options that had better not stand on a command line.
option_checks  what a value of the configuration may be, one small question each.
option_files   the same settings written in a file, or as text on a command line.
patterns       the operator's regular expressions, for URLs and for texts, matched in linear time.
plugins        functions of the operator's own that read each page. What they see and may return.
seeds          read what the operator wants to start from, or say what is wrong with it.
select_rules   what is to be taken from each page, as the operator wrote it down.
values         the text of a page, read as a number, a date or a truth.
"""
