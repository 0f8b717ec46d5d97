// The lab page: both servers in the same charts, and a card for each scenario.
