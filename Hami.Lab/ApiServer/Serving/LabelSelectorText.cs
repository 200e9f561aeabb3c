namespace Hami.Lab.ApiServer;

/// <summary>One requirement of a label selector: its operator is <c>in</c>, <c>notin</c>, <c>exists</c>, <c>!</c>, <c>gt</c> or <c>lt</c>.</summary>
internal sealed record LabelRequirement(string Key, string Operator, IReadOnlyList<string> Values);

/// <summary>Reads a selector as <c>a=b,c in (d,e),!f</c>; refuses in the server's words (apimachinery, labels).</summary>
internal sealed class LabelSelectorText
{
    private const string Operators = "in, notin, =, ==, !=, gt, lt";

    private readonly List<string> _tokens;
    private int _next;

    private LabelSelectorText(string text) => _tokens = [.. Tokens(text)];

    // Past the end stands an empty text, which is no token otherwise.
    private string Ahead => _next < _tokens.Count ? _tokens[_next] : "";

    public static List<LabelRequirement> Parse(string text)
    {
        var parser = new LabelSelectorText(text);
        var found = new List<LabelRequirement>();
        while (parser.Ahead.Length > 0)
        {
            if (!IsName(parser.Ahead) && parser.Ahead is not "!")
                throw Refused($"found '{parser.Ahead}', expected: !, identifier, or 'end of string'");
            found.Add(parser.Requirement());
            var after = parser.Take();
            if (after.Length == 0)
                break;
            if (after is not ",")
                throw Refused($"found '{after}', expected: ',' or 'end of string'");
            if (!IsName(parser.Ahead) && parser.Ahead is not "!")
                throw Refused($"found '{parser.Ahead}', expected: identifier after ','");
        }
        return found;
    }

    private LabelRequirement Requirement()
    {
        var absent = Ahead is "!";
        if (absent)
            _next++;
        var key = Take();
        if (!IsName(key))
            throw Unparsable($"found '{key}', expected: identifier");
        if (Formats.QualifiedName(key).ToArray() is { Length: > 0 } wrong)
            throw Unparsable($"<nil>: Invalid value: \"{key}\": {string.Join("; ", wrong)}");
        if (absent)
            return new(key, "!", []);
        if (Ahead is "" or ",")
            return new(key, "exists", []);
        var @operator = Take();
        var requirement = @operator switch
        {
            "in" or "notin" => new LabelRequirement(key, @operator, Values()),
            "=" or "==" => new(key, "in", [Value()]),
            "!=" => new(key, "notin", [Value()]),
            ">" => new(key, "gt", [Value()]),
            "<" => new(key, "lt", [Value()]),
            _ => throw Unparsable($"found '{@operator}', expected: {Operators}"),
        };
        Check(requirement);
        return requirement;
    }

    private static void Check(LabelRequirement requirement)
    {
        var wrong = new List<string>();
        for (var i = 0; i < requirement.Values.Count; i++)
        {
            var value = requirement.Values[i];
            if (requirement.Operator is "gt" or "lt" && !long.TryParse(value, out _))
                wrong.Add($"values[{i}]: Invalid value: \"{value}\": for 'Gt', 'Lt' operators, the value must be an integer");
            if (Formats.LabelValue(value).ToArray() is { Length: > 0 } why)
                wrong.Add($"values[{i}][{requirement.Key}]: Invalid value: \"{value}\": {string.Join("; ", why)}");
        }
        if (wrong.Count > 0)
            throw Unparsable(wrong.Count == 1 ? wrong[0] : $"[{string.Join(", ", wrong)}]");
    }

    private List<string> Values()
    {
        if (Take() is not "(" and var instead)
            throw Unparsable($"found '{instead}' expected: '('");
        var values = new SortedSet<string>(StringComparer.Ordinal);
        if (Ahead is ")")
        {
            _next++;
            return [""];
        }
        if (!IsName(Ahead) && Ahead is not ",")
            throw Unparsable($"found '{Ahead}', expected: ',', ')' or identifier");
        while (true)
        {
            var token = Take();
            if (token is ",")
            {
                if (values.Count == 0 || Ahead is ")" or ",")
                    values.Add("");
            }
            else if (!IsName(token))
            {
                throw Unparsable($"found '{token}', expected: ',', or identifier");
            }
            else
            {
                values.Add(token);
                if (Ahead is not ("," or ")"))
                    throw Unparsable($"found '{Ahead}', expected: ',' or ')'");
            }
            if (Ahead is not ")")
                continue;
            _next++;
            return [.. values];
        }
    }

    private string Value()
    {
        if (Ahead is "" or ",")
            return "";
        return Take() is var token && IsName(token) ? token : throw Unparsable($"found '{token}', expected: identifier");
    }

    private string Take() => _next < _tokens.Count ? _tokens[_next++] : "";

    private static bool IsName(string token) => token.Length > 0 && !IsSpecial(token[0]);

    private static bool IsSpecial(char c) => c is '=' or '!' or '(' or ')' or ',' or '>' or '<';

    private static IEnumerable<string> Tokens(string text)
    {
        for (var i = 0; i < text.Length;)
        {
            var begin = i;
            if (char.IsWhiteSpace(text[i]))
            {
                i++;
                continue;
            }
            if (IsSpecial(text[i]))
            {
                i += text[i] is ('=' or '!') && i + 1 < text.Length && text[i + 1] is '=' ? 2 : 1;
            }
            else
            {
                while (i < text.Length && !IsSpecial(text[i]) && !char.IsWhiteSpace(text[i]))
                    i++;
            }
            yield return text[begin..i];
        }
    }

    private static KubernetesError Unparsable(string why) => Refused($"unable to parse requirement: {why}");

    private static KubernetesError Refused(string why) => KubernetesError.BadRequest(why);
}
