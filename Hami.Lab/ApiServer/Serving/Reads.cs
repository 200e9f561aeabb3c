namespace Hami.Lab.ApiServer;

/// <summary>Get and list.</summary>
internal sealed class Reads(ObjectStore store, TimeProvider time)
{
    public Task Get(HttpContext http, ApiRequest at) =>
        View.Of(http, at.Resource, time).Answer(http, 200, store.Get(at.Resource, at.Namespace, at.Name));

    /// <summary>One list, or one page of it; all pages are of the revision of the first.</summary>
    public Task List(HttpContext http, ApiRequest at)
    {
        var view = View.Of(http, at.Resource, time);
        var selector = SelectorOf(http, at);
        var (objects, revision) = store.List(at.Resource, at.Namespace);
        var options = ListOptions.OfList(http.Request.Query, revision);
        if (options.Revision is { } then)
            (objects, revision) = (Then(at, options, then), then);

        var page = new List<Stored>();
        var rest = 0;
        foreach (var stored in objects)
        {
            if (options.After is not null && string.CompareOrdinal(stored.Key, options.After) <= 0)
                continue;
            if (!selector.Matches(stored))
                continue;
            if (options.Limit <= 0 || page.Count < options.Limit)
                page.Add(stored);
            else
                rest++;
        }
        var metadata = View.Revision(revision);
        if (rest > 0)
        {
            metadata["continue"] = ListOptions.Continue(revision, page[^1].Key);
            if (selector.MatchesAll)
                metadata["remainingItemCount"] = rest;
        }
        return view.Many(http, page, metadata);
    }

    public static Selector SelectorOf(HttpContext http, ApiRequest at) =>
        Selector.Parse(http.Request.Query["labelSelector"], http.Request.Query["fieldSelector"], at.Resource);

    private IEnumerable<Stored> Then(ApiRequest at, ListOptions options, long revision)
    {
        try
        {
            return store.ListAt(at.Resource, at.Namespace, revision);
        }
        catch (KubernetesError e) when (e.Code == 410)
        {
            throw options.After is { } after
                ? ListOptions.Expired(after)
                : new KubernetesError(410, "Expired", "The resourceVersion for the provided list is too old.");
        }
    }
}
