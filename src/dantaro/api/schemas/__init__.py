"""Answers as pydantic models: what is sent is made from them, and so is the OpenAPI document."""
