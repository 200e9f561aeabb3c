using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>Get and list.</summary>
internal sealed class Reads(ObjectStore store, TimeProvider time)
{
    public Task Get(HttpContext http, ApiRequest at) =>
        Answers.Write(http, 200, View.Of(http, at.Resource, time).One(store.Get(at.Resource, at.Namespace, at.Name)));

    public Task List(HttpContext http, ApiRequest at)
    {
        var query = http.Request.Query;
        var selector = SelectorOf(http, at);
        var (objects, revision) = store.List(at.Resource, at.Namespace);
        if (query["sendInitialEvents"].Count > 0)
        {
            throw KubernetesError.Invalid(at.Resource with { Kind = "ListOptions", Group = "meta.k8s.io" }, "",
                Cause.Forbidden("sendInitialEvents", "sendInitialEvents is forbidden for list"));
        }
        if (long.TryParse(query["resourceVersion"], out var wanted) && wanted > revision)
            throw KubernetesError.TooLargeRevision(wanted, revision);
        var (after, pinned) = Continuation(query["continue"].ToString());
        // Later pages come from now, not from a snapshot, but say the first page's revision: a watch from there misses nothing.
        revision = pinned ?? revision;
        var matching = objects.Where(o => (after is null || string.CompareOrdinal(o.Key, after) > 0) && selector.Matches(o)).ToList();
        var metadata = View.Revision(revision);
        if (long.TryParse(query["limit"], out var limit) && limit > 0 && matching.Count > limit)
        {
            var rest = matching.Count - (int)limit;
            matching = matching[..(int)limit];
            metadata["continue"] = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{revision} {matching[^1].Key}"));
            if (selector.MatchesAll)
                metadata["remainingItemCount"] = rest;
        }
        return Answers.Write(http, 200, View.Of(http, at.Resource, time).Many(matching, metadata));
    }

    public static Selector SelectorOf(HttpContext http, ApiRequest at)
    {
        var selector = Selector.Parse(http.Request.Query["labelSelector"], http.Request.Query["fieldSelector"], at.Resource);
        return selector;
    }

    private static (string? After, long? Revision) Continuation(string token)
    {
        if (token.Length == 0)
            return (null, null);
        try
        {
            var parts = Encoding.UTF8.GetString(Convert.FromBase64String(token)).Split(' ', 2);
            return (parts[1], long.Parse(parts[0]));
        }
        catch (Exception e) when (e is FormatException or IndexOutOfRangeException)
        {
            throw KubernetesError.BadRequest("continue key is not valid");
        }
    }
}
