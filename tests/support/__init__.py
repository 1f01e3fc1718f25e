"""What tests share: fakes, servers, files filled by hand."""
