"""`python -m mozi_cli`: as launchers of many processes start mozi."""

from mozi_cli.main import main

main()
