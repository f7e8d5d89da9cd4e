"""What a query, or a change of rows, may consist of: a list of what is allowed, for all the rest is not.

The names are those of sqlglot's syntax tree. A kind of node or a function that nobody has put here is
refused, also one that a later sqlglot or a database brings along.
"""

from __future__ import annotations


def _set(names: str) -> frozenset[str]:
    return frozenset(names.split())


QUERIES = _set("Select Union Intersect Except Values Subquery")
"""What a statement that reads begins with; `Subquery` is one in parentheses."""

CHANGES = _set("Insert Update Delete Merge")
"""What a statement that changes rows begins with."""

NODES = QUERIES | _set("""
    Add Adjacent Alias Aliases All Any AtTimeZone Between BitString BitwiseAnd BitwiseLeftShift
    BitwiseNot BitwiseOr BitwiseRightShift BitwiseXor Boolean Bracket ByteString CTE Column ColumnDef
    Cube DPipe DataType DataTypeParam Distinct Div Dot EQ Escape Fetch Filter ForClause From GT GTE Glob
    Group GroupingSets Having HavingMax HexString ILike Identifier IgnoreNulls In IntDiv Interval Is Join
    JSON JSONKeyValue JSONPath JSONPathFilter JSONPathKey JSONPathRecursive JSONPathRoot JSONPathScript
    JSONPathSelector JSONPathSlice JSONPathSubscript JSONPathUnion JSONPathWildcard Kwarg LT LTE Lateral
    Like Limit LimitOptions Literal Mod Mul NEQ National Neg Not Null NullSafeEQ NullSafeNEQ Offset Order
    Ordered Paren Pow RawString RegexpILike RegexpLike RespectNulls Rollup SimilarTo Slice Star Sub Table
    TableAlias TableSample Tuple UnicodeString Var Where Window WindowSpec With WithinGroup
    """)
"""Kinds of nodes that only compute: tables, columns, values, operators, conditions, windows."""

CHANGE_NODES = NODES | CHANGES | _set("OnConflict Returning Schema When Whens")
"""The same for a change of rows."""

FUNCTIONS = _set("""
    Abs Acos And AnyValue ArgMax ArgMin Array ArrayAgg ArrayAppend ArrayConcat ArrayContainedBy
    ArrayContainsAll ArrayContains ArrayOverlaps ArrayPosition ArrayPrepend ArrayRemove ArraySize
    ArrayToString Ascii Asin Atan Atan2 Avg BitLength BitwiseAndAgg BitwiseOrAgg BitwiseXorAgg Case Cast
    Cbrt Ceil Chr Coalesce Collate Concat ConcatWs Corr Cos Count CountIf CovarPop CovarSamp CumeDist
    CurrentDate CurrentTime CurrentTimestamp CurrentVersion Date DateAdd DateBin DateDiff DateFromParts
    DateSub DateTrunc Datetime Day DayOfMonth DayOfWeek DayOfYear Decode Degrees DenseRank Encode
    EndsWith Exists Exp Explode ExplodingGenerateSeries Extract Factorial FirstValue Floor Format
    GenerateSeries Greatest GroupConcat Grouping Hex Hour If Initcap JSONArray JSONArrayAgg
    JSONArrayContains JSONBContains JSONBExists JSONBExtract JSONBExtractScalar JSONBContainsAllTopKeys
    JSONBContainsAnyTopKeys JSONBPathExists JSONBObjectAgg JSONExtract JSONExtractArray JSONExtractScalar
    JSONFormat JSONKeys JSONObject JSONObjectAgg JSONSet JSONTable JSONType JustifyDays JustifyHours
    JustifyInterval Lag LastDay LastValue Lead Least Left Length Levenshtein Ln Localtime Localtimestamp
    Log LogicalAnd LogicalOr Lower MakeInterval Max MD5 Median Min Minute Mode Month NthValue Ntile
    Nullif NumberToStr Or Overlay Pad ParseJSON PercentileCont PercentileDisc PercentRank Pi Pow Quarter
    Radians Rand Randn Rank RegexpCount RegexpExtract RegexpExtractAll RegexpILike RegexpInstr RegexpLike
    RegexpReplace RegexpSplit RegrAvgx RegrAvgy RegrCount RegrIntercept RegrR2 RegrSlope RegrSxx RegrSxy
    RegrSyy Repeat Replace Reverse Right Round RowNumber Second SHA SHA2 Sign Sin Soundex Space SplitPart
    Sqrt StartsWith Stddev StddevPop StddevSamp StringToArray StrPosition StrToDate StrToTime StrToUnix
    Stuff Substring Sum Tan Time TimestampAdd TimestampDiff TimestampFromParts TimestampSub
    TimestampTrunc TimeToStr TimeToUnix ToBase64 ToChar ToNumber Translate Trim Trunc TryCast TsOrDsAdd
    TsOrDsDiff TsOrDsToDate TsOrDsToDateStr TsOrDsToTime TsOrDsToTimestamp Typeof Unhex Unicode
    UnixToTime Unnest Upper Variance VariancePop Week WidthBucket Xor Year
    """)
"""Functions that sqlglot knows by a kind of their own: those that only compute."""

COMMON = _set("date time datetime sum total avg min max count abs round upper lower length row sign")

NAMED = {
    "sqlite": COMMON
    | _set("""
        julianday strftime timediff unixepoch printf format char unicode quote hex unhex zeroblob
        randomblob changes last_insert_rowid total_changes likelihood likely unlikely instr soundex
        concat concat_ws json json_array json_array_length json_each json_tree json_extract json_object
        json_patch json_quote json_type json_valid json_group_array json_group_object json_insert
        json_replace json_set json_remove jsonb jsonb_array jsonb_extract jsonb_object jsonb_group_array
        jsonb_group_object bm25 highlight snippet matchinfo offsets rank if iif ifnull nullif
        sqlite_version acos acosh asin asinh atan atan2 atanh ceil ceiling cos cosh degrees exp floor ln
        log log10 log2 mod pi pow power radians sin sinh sqrt tan tanh trunc median percentile
        percentile_cont percentile_disc pragma_table_info pragma_table_list pragma_foreign_key_list
        pragma_index_list pragma_index_info
        """),
    "postgres": COMMON
    | _set("""
        age clock_timestamp date_part isfinite justify_interval make_date make_time make_timestamp
        make_timestamptz make_interval statement_timestamp transaction_timestamp timezone to_char to_date
        to_number to_timestamp date_trunc date_bin array_agg array_cat array_dims array_fill array_length
        array_lower array_ndims array_positions array_replace array_upper array_to_json cardinality
        generate_subscripts string_to_array string_to_table unnest json_agg json_array
        json_array_elements json_array_elements_text json_array_length json_build_array json_build_object
        json_each json_each_text json_extract_path json_extract_path_text json_object json_object_agg
        json_object_keys json_populate_record json_populate_recordset json_strip_nulls json_to_record
        json_to_recordset json_typeof jsonb_agg jsonb_array_elements jsonb_array_elements_text
        jsonb_array_length jsonb_build_array jsonb_build_object jsonb_each jsonb_each_text
        jsonb_extract_path jsonb_extract_path_text jsonb_insert jsonb_object jsonb_object_agg
        jsonb_object_keys jsonb_path_exists jsonb_path_match jsonb_path_query jsonb_path_query_array
        jsonb_path_query_first jsonb_populate_record jsonb_populate_recordset jsonb_pretty jsonb_set
        jsonb_strip_nulls jsonb_to_record jsonb_to_recordset jsonb_typeof row_to_json to_json to_jsonb
        bit_and bit_count bit_or bit_xor bool_and bool_or every range_agg btrim casefold char_length
        character_length decode encode format get_byte initcap left lpad ltrim md5 normalize octet_length
        overlay parse_ident position quote_ident quote_literal quote_nullable regexp_count regexp_instr
        regexp_like regexp_match regexp_matches regexp_replace regexp_split_to_array
        regexp_split_to_table regexp_substr repeat replace reverse right rpad rtrim sha224 sha256 sha384
        sha512 split_part starts_with strpos substr substring to_hex translate trim unaccent unistr
        upper_inc lower_inc similarity word_similarity strict_word_similarity show_trgm soundex
        difference metaphone levenshtein cbrt ceil ceiling degrees div erf exp factorial floor gcd lcm ln
        log log10 min_scale mod pi power radians random scale sqrt trim_scale trunc width_bucket acos
        asin atan atan2 cos cot sin tan int4range int8range numrange tsrange tstzrange daterange isempty
        lower_inf upper_inf range_merge num_nonnulls num_nulls coalesce nullif greatest least ts_headline
        ts_rank ts_rank_cd to_tsquery to_tsvector plainto_tsquery phraseto_tsquery websearch_to_tsquery
        setweight numnode querytree abbrev broadcast family host hostmask masklen netmask network
        set_masklen text area center diameter height isclosed isopen npoints pclose point box circle line
        lseg path polygon gen_random_uuid uuid_generate_v4 uuidv4 uuidv7 current_schema pg_typeof
        pg_size_pretty pg_column_size version obj_description col_description format_type
        """),
}
"""Dialect -> other functions, by name: they read no file, call nobody, wait for nothing, set nothing."""
