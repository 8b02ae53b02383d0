"""The torch networks in Hugging Face form."""
