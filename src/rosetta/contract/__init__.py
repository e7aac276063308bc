"""What every contender must do, as tests for those who write one: ``pytest --pyargs rosetta.contract``.

``--contender NAME`` names it, ``--frameworks DIR`` the folder that it is in. pytest finds these options by the entry
point ``rosetta.contract.plugin``; Rosetta itself needs no pytest.
"""
