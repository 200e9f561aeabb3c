using System.Text;
using System.Text.Json;

namespace Hami.Lab.ApiServer;

/// <summary>Where in time a list is to be taken, and which part of it (meta/v1 ListOptions).</summary>
/// <param name="Revision">The revision of an exact list or of the first page; null for now.</param>
/// <param name="After">The key after which the next page begins.</param>
internal sealed record ListOptions(long? Revision, string? After, long Limit)
{
    /// <summary>Pages of a list end at their first page's revision once that is forgotten; this one goes on from now instead.</summary>
    private const long Inconsistent = -1;

    public static ListOptions OfList(IQueryCollection query, long now)
    {
        var (match, from, token) = (query["resourceVersionMatch"].ToString(), query["resourceVersion"].ToString(), query["continue"].ToString());
        var causes = new List<Cause>();
        if (match.Length > 0 && from.Length == 0)
            causes.Add(Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden unless resourceVersion is provided"));
        if (match.Length > 0 && token.Length > 0)
            causes.Add(Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
        if (match is not ("" or "Exact" or "NotOlderThan"))
            causes.Add(Cause.Unsupported("resourceVersionMatch", match, "Exact", "NotOlderThan", ""));
        if (match is "Exact" && from is "0")
            causes.Add(Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\""));
        if (query["sendInitialEvents"].Count > 0)
            causes.Add(Cause.Forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        Refuse(causes);

        var limit = Limited(query);
        if (token.Length > 0)
        {
            if (from is not ("" or "0"))
                throw KubernetesError.BadRequest("specifying resource version is not allowed when using continue");
            var (revision, after) = Decode(token);
            return new(revision == Inconsistent ? null : revision, after, limit);
        }
        var asked = RevisionIn(query);
        if (asked > now)
            throw KubernetesError.TooLargeRevision(asked, now);
        // Pages of a revision nobody said how to match are taken exactly there: so it was before the match could be said.
        var exact = match is "Exact" || (match.Length == 0 && limit > 0 && asked > 0);
        return new(exact ? asked : null, After: null, limit);
    }

    /// <summary>Whether a list is to go on as a watch.</summary>
    public static bool IsWatch(IQueryCollection query) => query["watch"].ToString() is "true" or "1";

    /// <summary>Whether a watch first sends what is there; null when it was not said.</summary>
    public static bool? OfWatch(IQueryCollection query)
    {
        var (asked, match) = (query["sendInitialEvents"].ToString(), query["resourceVersionMatch"].ToString());
        var causes = new List<Cause>();
        if (asked.Length > 0 && match is not "NotOlderThan")
            causes.Add(Cause.Forbidden("resourceVersionMatch", "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan"));
        if (asked.Length == 0 && match.Length > 0)
            causes.Add(Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided"));
        if (match is not ("" or "NotOlderThan"))
            causes.Add(Cause.Unsupported("resourceVersionMatch", match, "NotOlderThan"));
        if (match.Length > 0 && query["continue"].ToString().Length > 0)
            causes.Add(Cause.Forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden when continue is provided"));
        Refuse(causes);
        return asked.Length == 0 ? null : asked is "true" or "1";
    }

    public static long RevisionIn(IQueryCollection query)
    {
        var text = query["resourceVersion"].ToString();
        if (text.Length == 0)
            return 0;
        return ulong.TryParse(text, System.Globalization.NumberStyles.None, provider: null, out var revision)
            ? (long)Math.Min(revision, long.MaxValue)
            : throw KubernetesError.BadRequest($"invalid resource version: resourceVersion: Invalid value: \"{text}\": strconv.ParseUint: parsing \"{text}\": invalid syntax");
    }

    /// <summary>The token of the page after a key.</summary>
    public static string Continue(long revision, string after) => Convert.ToBase64String(
        Encoding.UTF8.GetBytes($"{{\"v\":\"meta.k8s.io/v1\",\"rv\":{revision},\"start\":{JsonSerializer.Serialize(after + "\0")}}}")).TrimEnd('=').Replace('+', '-').Replace('/', '_');

    /// <summary>The refusal of a page whose first page's revision is forgotten, with the token that goes on without it.</summary>
    public static KubernetesError Expired(string after)
    {
        var error = new KubernetesError(410, "Expired", "The provided continue parameter is too old to display a consistent list result. You can start a new list without "
            + "the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an "
            + "inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.");
        error.Status["metadata"]!["continue"] = Continue(Inconsistent, after);
        return error;
    }

    private static long Limited(IQueryCollection query)
    {
        var text = query["limit"].ToString();
        if (text.Length == 0)
            return 0;
        return long.TryParse(text, out var limit) ? limit : throw KubernetesError.BadRequest($"strconv.ParseInt: parsing \"{text}\": invalid syntax");
    }

    private static (long Revision, string After) Decode(string token)
    {
        JsonElement decoded;
        try
        {
            var padded = token.Replace('-', '+').Replace('_', '/').PadRight((token.Length + 3) / 4 * 4, '=');
            decoded = JsonSerializer.Deserialize<JsonElement>(Convert.FromBase64String(padded));
        }
        catch (Exception e) when (e is FormatException or JsonException)
        {
            throw KubernetesError.BadRequest($"invalid continue token: continue key is not valid: {e.Message}");
        }
        if (decoded.ValueKind is not JsonValueKind.Object || !decoded.TryGetProperty("v", out var version) || version.ToString() is not "meta.k8s.io/v1")
            throw KubernetesError.BadRequest("invalid continue token: continue key is not valid: server does not recognize this encoded version");
        if (!decoded.TryGetProperty("rv", out var revision) || !revision.TryGetInt64(out var number) || number == 0)
            throw KubernetesError.BadRequest("invalid continue token: continue key is not valid: incorrect encoded start resourceVersion (version meta.k8s.io/v1)");
        if (!decoded.TryGetProperty("start", out var start) || start.ToString() is not { Length: > 0 } after)
            throw KubernetesError.BadRequest("invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)");
        return (number, after.TrimEnd('\0'));
    }

    private static void Refuse(List<Cause> causes)
    {
        if (causes.Count > 0)
            throw KubernetesError.Invalid("ListOptions", "meta.k8s.io", "", causes);
    }
}
