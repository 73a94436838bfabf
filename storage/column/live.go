package column

// Live returns the number of a morsel's rows that have not been deleted.
func Live(m Morsel) int {
	if dead := m.Deleted(); dead != nil {
		return m.Rows() - dead.Count()
	}
	return m.Rows()
}
