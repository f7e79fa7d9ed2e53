"""What torment.py consists of: a ledger of what wallets have answered, threads that use them, disturbances, and the search for
anything that was lost.
"""
