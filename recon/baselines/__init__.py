"""Other programs that fit scenes, run in their own environments and scored by ours."""
