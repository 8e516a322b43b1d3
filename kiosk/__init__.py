"""The kiosk: one press, one number, one paper, with or without the gateway."""
