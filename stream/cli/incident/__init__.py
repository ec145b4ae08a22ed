"""Commands about incidents: what they are put down to, what people say of them, the rules of who hears of them."""
