package session

import (
	"strconv"

	"github.com/telemdb/telemdb/engine/op"
)

// tune applies the settings that change how a plan runs and not what it answers.
func (c *conn) tune(env *op.Env) {
	if n, err := strconv.Atoi(c.set.value("telemdb.workers")); err == nil && n > 0 {
		env.Workers = n
	}
	if n, err := strconv.Atoi(c.set.value("telemdb.batch_rows")); err == nil {
		env.BatchRows = n
	}
	env.HashEqual = c.set.value("telemdb.hash_equal") == "on"
	env.ForceSpill = c.set.value("telemdb.force_spill") == "on"
	env.NoFused = c.set.value("telemdb.fused") == "off"
}
