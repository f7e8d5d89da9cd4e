"""What all screens are drawn with: lines, lists, footer, colours, signs; what makes foreign text harmless."""
