"""One network by itself: trained, asked, converted, kept."""
