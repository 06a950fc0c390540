"""How people write days, periods, durations, money and text: pure functions, without a clock."""
