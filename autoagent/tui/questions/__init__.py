"""A question over the whole screen: what it is about, how it is edited, how it is answered."""
