package flat

import (
	"io"
	"strconv"
	"strings"

	"github.com/telemdb/telemdb/bench/workload"
	"github.com/telemdb/telemdb/bench/workload/draw"
)

// countryCodes are 240 countries, those with most clients first.
var countryCodes = strings.Fields(`US DE IN FR RU BR CN ID PL GB IT ES JP CA MX UA NL AU AR IR TR VN PH CZ HU CO TH CH AT SE RO BE GR EG
	KR TW PT SA CL ZA PE MY FI BD PK BG SK VE DZ IL DK NG NO HR KE BY MA RS NZ KZ AE IE EC SG LK HK LT SI TN LV BO EE DO GT CR IQ UY
	PY SY BA NP GE JO AZ MD KH PR LB SV HN AM OM QA PA KW MK AL CY GH UZ MM TZ LU UG ET YE NI SN CM CI JM TT AO BH LY PS ZM ZW SD MZ
	MU RE MT IS CU MG KG MN ML BF AF BJ CD LA HT BN GP MQ ME MO XK RW NA BW TG GA SR GY NE PG FJ BB MV NC GF PF TJ TM GN SO MR CG BS
	SL LR MW GM GU CW BZ AW JE GG IM AD LC FO CV SZ GL GI SC BI BT KY BM DJ LS AG VI LI GD VC TD ER SX MC DM SM TL KN CF AS SB VU WS
	TO KM ST MP TC GQ GW FM PW MH KI VG AI MS FK NR TV CK BQ YT PM AX SH BL MF NU WF TK IO NF EH VA CX CC`)

// countryRegions name the countries of a region; the others are in Africa.
var countryRegions = map[string]string{
	"Europe": ` DE FR RU PL GB IT ES UA NL CZ HU CH AT SE RO BE GR PT FI BG SK DK NO HR BY RS IE LT SI LV EE BA MD MK AL LU MT IS ME XK JE
		GG IM AD FO GI LI MC SM AX CY VA `,
	"Americas": ` US BR CA MX AR CO CL PE VE EC BO DO GT CR UY PY PR SV HN PA NI JM TT CU HT GP MQ SR GY BB GF BS CW BZ AW LC GL KY BM AG
		VI GD VC SX DM KN TC VG AI MS FK BQ PM BL MF `,
	"Asia": ` IN CN ID JP IR TR VN PH TH KR TW SA MY BD PK IL KZ AE SG LK HK IQ SY NP GE JO AZ KH LB AM OM QA KW UZ MM YE BH PS KG MN AF
		LA BN MO MV TJ TM BT TL IO `,
	"Oceania": ` AU NZ PG FJ NC PF GU AS SB VU WS TO MP FM PW MH KI NR TV CK NU WF TK NF CX CC `,
}

func regionOf(country string) string {
	for region, codes := range countryRegions {
		for code := range strings.FieldsSeq(codes) {
			if code == country {
				return region
			}
		}
	}
	return "Africa"
}

// countriesTable is a dimension table: the region of a country.
func countriesTable() workload.Table {
	return workload.Table{
		Name: "countries",
		Columns: []workload.Column{
			of("code", "text NOT NULL", "VARCHAR NOT NULL", "String"),
			of("region", "text NOT NULL", "VARCHAR NOT NULL", "String"),
			integer("rank"),
		},
		SortKey: []string{"code"},
		Rows:    func(int64) int64 { return int64(len(countryCodes)) },
		CSV: func(w io.Writer, _ int64, shard, of int) error {
			var buf []byte
			n := len(countryCodes)
			for i := n * shard / of; i < n*(shard+1)/of; i++ {
				buf = append(append(append(buf, countryCodes[i]...), ','), regionOf(countryCodes[i])...)
				buf = append(strconv.AppendInt(append(buf, ','), int64(i+1), 10), '\n')
			}
			_, err := w.Write(buf)
			return err
		},
	}
}

// cityNames are the cities of each country, the largest first: more in countries with more clients.
var cityNames = func() [][]string {
	out := make([][]string, len(countryCodes))
	for c := range out {
		out[c] = make([]string, 4+500/(c+2))
		for i := range out[c] {
			b := draw.Of(seed, saltCity, uint64(c)<<16|uint64(i))
			name := appendWord(nil, b.Next(), 2+int(b.Below(2)))
			name[0] -= 'a' - 'A'
			out[c][i] = string(name)
		}
	}
	return out
}()

const (
	onsets = "b c d f g h k l m n p r s t v w br ch cl dr gr kn pl pr sh st th tr"
	nuclei = "a e i o u ai ea ei ia oo ou"
	codas  = " l m n r s t nd rg ck"
)

var onset, nucleus, coda = strings.Split(onsets, " "), strings.Split(nuclei, " "), strings.Split(codas, " ")

// appendWord appends a word of a few syllables; equal bits give equal words.
func appendWord(dst []byte, word uint64, syllables int) []byte {
	for range syllables {
		dst = append(dst, onset[word&31%uint64(len(onset))]...)
		dst = append(dst, nucleus[word>>5&15%uint64(len(nucleus))]...)
		dst = append(dst, coda[word>>9&15%uint64(len(coda))]...)
		word = word>>13 | word<<51
	}
	return dst
}
