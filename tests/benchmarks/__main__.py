if __name__ == "__main__":
    import sys

    from benchmarks.suite import main

    sys.exit(main())
