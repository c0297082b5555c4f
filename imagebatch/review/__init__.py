"""What people look at and decide by: pages with all pictures, and the choices that come back from them."""
