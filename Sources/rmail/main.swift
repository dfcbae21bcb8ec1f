print("rmail")
