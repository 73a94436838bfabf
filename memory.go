package telemdb

// memoryAssumed is taken for the machine's memory where the system does not tell it.
const memoryAssumed = 4 << 30

// memoryBudget is what the database plans with: 60 % of what the process may have.
func memoryBudget() int64 {
	limit := memoryLimit()
	if limit <= 0 {
		limit = memoryAssumed
	}
	return limit / 10 * 6
}

// Shares of the budget for rows that are not sealed. While the log is read back at start nobody asks anything, so the
// rows may have the share of the queries and half of the cache's too.
const (
	headShare         = 10 // per cent
	headRecoveryShare = 45
)
