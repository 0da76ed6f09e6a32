"""The replies of the API as models. They describe; nothing is validated by them while requests are answered."""
