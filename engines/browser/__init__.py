"""A model as a page that translates in the browser; the page itself is in page/."""
