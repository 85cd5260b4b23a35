"""Does adaptation pay, and does the gate keep out what does harm?"""
