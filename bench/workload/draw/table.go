package draw

import "math"

// Choice draws one of a few things, each with its weight: the inverse of their distribution, cut into 65,536 steps.
type Choice struct {
	steps [1 << 16]uint16
}

// NewChoice returns a choice among len(weights) things. Each gets at least one step, so each comes to be drawn.
func NewChoice(weights []float64) *Choice {
	c, sum := &Choice{}, 0.0
	for _, w := range weights {
		sum += w
	}
	at, upTo := 0, 0.0
	for i, w := range weights {
		upTo += w
		end := int(math.Round(upTo / sum * (1 << 16)))
		left := len(weights) - 1 - i
		end = max(at+1, min(end, 1<<16-left))
		if left == 0 {
			end = 1 << 16
		}
		for ; at < end; at++ {
			c.steps[at] = uint16(i)
		}
	}
	return c
}

// Zipf returns a choice among n things whose weights fall with the power s of their rank.
func Zipf(n int, s float64) *Choice {
	weights := make([]float64, n)
	for i := range weights {
		weights[i] = math.Pow(float64(i+1), -s)
	}
	return NewChoice(weights)
}

// Pick returns the thing that a random word stands for; it uses the word's highest 16 bits.
func (c *Choice) Pick(word uint64) int { return int(c.steps[word>>48]) }

// Pick16 returns the thing that 16 random bits stand for.
func (c *Choice) Pick16(x uint16) int { return int(c.steps[x]) }

// curveSteps are the points between which a Curve is straight.
const curveSteps = 1 << 12

// Curve draws numbers of any distribution, of which it holds the inverse: it is straight between curveSteps points.
type Curve struct {
	at [curveSteps + 1]float64
}

// NewCurve returns the curve of an inverse distribution: inverse(u) is the value that a share u of all values is below.
func NewCurve(inverse func(u float64) float64) *Curve {
	c := &Curve{}
	for i := range c.at {
		c.at[i] = inverse((float64(i) + 0.25) / (curveSteps + 0.5))
	}
	return c
}

// Pick returns the value that a random word stands for.
func (c *Curve) Pick(word uint64) float64 {
	i := word >> 52
	frac := float64(word>>20&(1<<32-1)) / (1 << 32)
	// The conversion keeps the product from being fused with the sum, so that every machine draws the same.
	return c.at[i] + float64((c.at[i+1]-c.at[i])*frac)
}

// Int returns the whole number below Pick.
func (c *Curve) Int(word uint64) int64 { return int64(c.Pick(word)) }

// LogNormal returns the curve of a lognormal distribution with a median and a standard deviation sigma of its logarithm:
// the usual shape of durations and sizes.
func LogNormal(median, sigma float64) *Curve {
	return NewCurve(func(u float64) float64 { return median * math.Exp(sigma*normalInverse(u)) })
}

// Exponential returns the curve of an exponential distribution with a mean.
func Exponential(mean float64) *Curve {
	return NewCurve(func(u float64) float64 { return -mean * math.Log1p(-u) })
}

// LongTail returns the curve of a rank below n whose weights fall with the power s of the rank: for domains too large
// for a Choice.
func LongTail(n, s float64) *Curve {
	if s == 1 {
		return NewCurve(func(u float64) float64 { return min(math.Pow(n+1, u)-1, n-1) })
	}
	k := 1 - s
	return NewCurve(func(u float64) float64 {
		return min(math.Pow(1+u*(math.Pow(n+1, k)-1), 1/k)-1, n-1)
	})
}

// normalInverse is the quantile function of the normal distribution.
func normalInverse(u float64) float64 { return math.Sqrt2 * math.Erfinv(2*u-1) }
