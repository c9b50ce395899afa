"""`python -m ssap_ros.cli`"""

import sys

from ssap_ros.cli import main

if __name__ == "__main__":
    sys.exit(main())
