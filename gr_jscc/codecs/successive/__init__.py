"""The three schemes of successive refinement (Kurka & Gündüz 2019)."""
