using System.Text.Json.Nodes;

namespace Hami.Lab.ApiServer;

/// <summary>The door: reads a request to its end, lets faults have their way with it, sends it to its verb, and answers errors as Status.</summary>
internal sealed class Gateway : IDisposable
{
    // etcd's and the API server's limit for one body.
    private const long BodyLimit = 3 * 1024 * 1024;

    private readonly ObjectStore _store;
    private readonly LabFaults _faults;
    private readonly TimeProvider _time;
    private readonly CancellationToken _stopping;
    private readonly bool _refuseOldWatches;
    private readonly Webhooks _webhooks;
    private readonly Writes _writes;
    private readonly Reads _reads;
    private readonly Bindings _bindings;
    private readonly PodLogs _logs;
    private readonly Guard _guard;
    private readonly Reviews _reviews;

    public Gateway(ObjectStore store, LabFaults faults, LabApiServerOptions options, CancellationToken stopping)
    {
        (_store, _faults, _time, _stopping, _refuseOldWatches) = (store, faults, options.Time, stopping, options.RefuseOldWatches);
        var time = options.Time;
        _webhooks = new(store, time);
        _writes = new(store, _webhooks, time);
        _reads = new(store, time);
        _bindings = new(store, _webhooks, time);
        _logs = new(store);
        var (rbac, tokens) = (new Rbac(store), new Tokens(store, time));
        _guard = new(rbac, tokens);
        _reviews = new(store, _guard, rbac, tokens, time);
    }

    /// <summary>What every lab has from its first start; and what an earlier one was killed in the middle of.</summary>
    public Task Prepare()
    {
        _writes.EndNamespaces();
        return Bootstrap.Prepare(_store, _writes.Make);
    }

    /// <summary>Ends events an hour after they were last written, as a server does by default, until the server stops.</summary>
    public async Task ExpireEvents()
    {
        using var minute = new PeriodicTimer(TimeSpan.FromMinutes(1), _time);
        try
        {
            while (await minute.WaitForNextTickAsync(_stopping))
                ExpireEvents(_time.GetUtcNow().AddHours(-1));
        }
        catch (OperationCanceledException)
        {
            // The server stops.
        }
    }

    private void ExpireEvents(DateTimeOffset oldest)
    {
        try
        {
            foreach (var old in _store.List(Resources.Events).Objects.Where(e => e.WrittenAt < oldest).ToArray())
                _store.TryDelete(old);
        }
        catch (KubernetesError)
        {
            // The disk is full, and even an end has to be written down: in a minute again.
        }
    }

    public async Task Handle(HttpContext http)
    {
        try
        {
            var body = await ReadBody(http);
            var request = new LabRequest(http.Request.Method, http.Request.Path.Value ?? "/", http.Request.QueryString.Value ?? "", http.Request.Headers.UserAgent.ToString(), body);
            var fate = await _faults.Pass(request);
            try
            {
                if (fate is not LabFault.DropRequest)
                    await Answer(http, body, fate);
                if (fate is not LabFault.None)
                    http.Abort();
            }
            finally
            {
                request.Holder?.Finish();
            }
        }
        catch (KubernetesError e)
        {
            await Answers.Write(http, e);
        }
        catch (OperationCanceledException) when (http.RequestAborted.IsCancellationRequested || _stopping.IsCancellationRequested)
        {
            // Nobody is left to be answered.
        }
        catch (IOException) when (http.RequestAborted.IsCancellationRequested)
        {
            // The client broke the connection in the middle of the answer.
        }
        catch (Exception e) when (!http.Response.HasStarted)
        {
            await Answers.Write(http, KubernetesError.Internal(e.ToString()));
        }
    }

    public void Dispose()
    {
        _webhooks.Dispose();
        _logs.Dispose();
    }

    private async Task Answer(HttpContext http, ReadOnlyMemory<byte> body, LabFault fate)
    {
        if (fate is LabFault.DropReply)
        {
            // Applied as always, and answered into nothing.
            http.Response.Body = Stream.Null;
        }
        Caller.Current = _guard.Admit(http);
        if (HttpMethods.IsGet(http.Request.Method) && await Discovery.TryAnswer(http))
            return;
        if (http.Request is { Method: "POST", Path.Value: { } path } && path.Split('/') is ["", "api", "v1", "namespaces", var @namespace, "bindings"])
        {
            await Bind(http, @namespace, pod: null, body);
            return;
        }
        var at = ApiRequest.Parse(http.Request.Path.Value ?? "");
        if (at is null)
        {
            await NotFound(http);
            return;
        }
        await (at.Subresource is "" or "status" ? Object(http, at, body) : Subresource(http, at, body));
    }

    private Task Object(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        if (Array.IndexOf(Resources.Asked, at.Resource) >= 0)
            return Review(http, at, body);
        var collection = at.Name.Length == 0;
        if (at.Subresource is "status" && !at.Resource.HasStatus)
            throw KubernetesError.NoSuchPath();
        var method = http.Request.Method;
        // Nothing is written for somebody who could not read the answer.
        if (method is not "GET")
            _ = Accept.Of(http);
        return method switch
        {
            "GET" when !collection => Get(http, at),
            "GET" when ListOptions.IsWatch(http.Request.Query) => Watch(http, at),
            "GET" => _reads.List(http, at),
            "POST" when collection && at.Namespace is not null => Create(http, at, body),
            "PUT" when !collection => Replace(http, at, body),
            "PATCH" when !collection => Patch(http, at, body),
            "DELETE" when !collection && at.Subresource.Length == 0 => Delete(http, at, body),
            "DELETE" when collection && at.Namespace is not null && !ReferenceEquals(at.Resource, Resources.Namespaces) => DeleteAll(http, at, body),
            _ => throw KubernetesError.MethodNotAllowed(),
        };
    }

    private Task Get(HttpContext http, ApiRequest at) => _reads.Get(http, at);

    private Task Watch(HttpContext http, ApiRequest at) =>
        new WatchSession(_store, http, at, View.Of(http, at.Resource, _time, watch: true), _refuseOldWatches).Run(_stopping);

    private async Task Create(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "CreateOptions");
        var created = await _writes.Create(at, Intake.Read(http.Request.ContentType, body, at.Resource.Kind, options), options);
        Answers.Warn(http, options);
        await View.Of(http, at.Resource, _time).Answer(http, 201, created);
    }

    private async Task Replace(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "UpdateOptions");
        var replaced = await _writes.Replace(at, Intake.Read(http.Request.ContentType, body, at.Resource.Kind, options), options);
        Answers.Warn(http, options);
        await View.Of(http, at.Resource, _time).Answer(http, 200, replaced);
    }

    private async Task Patch(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "PatchOptions");
        var patched = await _writes.Patch(at, Patches.Of(http.Request.ContentType, body, options), options);
        Answers.Warn(http, options);
        await View.Of(http, at.Resource, _time).Answer(http, 200, patched);
    }

    private async Task Delete(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var (asked, options) = DeleteOptions.Read(http.Request.Query, body);
        var deleted = await _writes.Delete(at, asked, options);
        Answers.Warn(http, options);
        await (at.Resource.AnswersDeleted || deleted.Body.TextAt("metadata", "deletionTimestamp") is not null
            ? View.Of(http, at.Resource, _time).Answer(http, 200, deleted)
            : Answers.Write(http, 200, Answers.Success(at.Resource, deleted)));
    }

    private async Task DeleteAll(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var (asked, options) = DeleteOptions.Read(http.Request.Query, body);
        var deleted = await _writes.DeleteAll(at, Reads.SelectorOf(http, at), asked, options);
        await View.Of(http, at.Resource, _time).Many(http, deleted, View.Revision(_store.Revision));
    }

    private async Task Subresource(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var method = http.Request.Method;
        switch (at.Resource.Plural, at.Subresource)
        {
            case ("pods", "binding" or "bindings") when method is "POST":
                await Bind(http, at.Namespace!, at.Name, body);
                break;
            case ("pods", "log") when method is "GET":
                await _logs.Send(http, at, _stopping);
                break;
            case ("pods", "eviction") when method is "POST":
                var eviction = Intake.Read(http.Request.ContentType, body, "Eviction", WriteOptions.From(http.Request.Query, "CreateOptions"));
                var (asked, options) = DeleteOptions.Checked(eviction.MapAt("deleteOptions") ?? [], http.Request.Query);
                await _writes.Delete(at with { Subresource = "" }, asked, options);
                await Answers.Write(http, 201, Answers.Success(201));
                break;
            case ("pods", "exec" or "attach" or "portforward"):
                _ = _store.Get(at.Resource, at.Namespace, at.Name);
                throw KubernetesError.NotImplemented($"the lab's API server does not carry {at.Subresource} streams; use kubectl logs, or run the command beside the container's process");
            case ("serviceaccounts", "token") when method is "POST":
                var request = Intake.Read(http.Request.ContentType, body, "TokenRequest", WriteOptions.From(http.Request.Query, "CreateOptions"));
                await Answers.Write(http, 201, _reviews.Issue(at.Namespace!, at.Name, request));
                break;
            case ("deployments" or "replicasets", "scale"):
                await Scale(http, at, body);
                break;
            case ("namespaces", "finalize") when method is "PUT":
                await Replace(http, at with { Subresource = "" }, body);
                break;
            default:
                throw KubernetesError.NoSuchPath();
        }
    }

    private async Task Review(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        if (http.Request.Method is not "POST" || at.Name.Length > 0)
            throw KubernetesError.MethodNotAllowed();
        var options = WriteOptions.From(http.Request.Query, "CreateOptions");
        var sent = Intake.Decode(Intake.Read(http.Request.ContentType, body, at.Resource.Kind, options), at.Resource, options);
        Answers.Warn(http, options);
        await Answers.Write(http, 201, _reviews.Answer(at.Resource, at.Namespace, sent));
    }

    private async Task Scale(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "UpdateOptions");
        var scales = new Scales(_store, _writes);
        await Answers.Write(http, 200, http.Request.Method switch
        {
            "GET" => scales.Get(at),
            "PUT" => await scales.Change(at, _ => Intake.Read(http.Request.ContentType, body, "Scale", options), options),
            "PATCH" => await scales.Change(at, Patches.Of(http.Request.ContentType, body, options).Apply, options),
            _ => throw KubernetesError.MethodNotAllowed(),
        });
    }

    // The older door, /namespaces/x/bindings, takes the pod's name from the Binding.
    private async Task Bind(HttpContext http, string @namespace, string? pod, ReadOnlyMemory<byte> body)
    {
        _ = Accept.Of(http);
        var options = WriteOptions.From(http.Request.Query, "CreateOptions");
        var binding = Intake.Read(http.Request.ContentType, body, "Binding", options);
        await _bindings.Bind(@namespace, pod ?? binding.TextAt("metadata", "name") ?? "", binding, options);
        Answers.Warn(http, options);
        await Answers.Write(http, 201, Answers.Success(201));
    }

    // A group and version that nobody serves has no handler to speak of Status; a resource inside one that somebody serves has.
    private static Task NotFound(HttpContext http)
    {
        var served = (http.Request.Path.Value ?? "").Split('/', StringSplitOptions.RemoveEmptyEntries) switch
        {
            ["api", var version, ..] => version is "v1",
            ["apis", var group, var version, ..] => Array.Exists(Resources.Served, r => r.Group == group && r.Version == version),
            _ => false,
        };
        return served
            ? throw KubernetesError.NoSuchPath()
            : Answers.Write(http, 404, "404 page not found\n"u8.ToArray(), "text/plain; charset=utf-8");
    }

    private static async Task<ReadOnlyMemory<byte>> ReadBody(HttpContext http)
    {
        if (http.Request.ContentLength > BodyLimit)
            throw KubernetesError.TooLarge(BodyLimit);
        if (http.Request.ContentLength is { } length)
        {
            var whole = new byte[length];
            await http.Request.Body.ReadExactlyAsync(whole, http.RequestAborted);
            return whole;
        }
        using var body = new MemoryStream();
        var buffer = new byte[16 * 1024];
        while (await http.Request.Body.ReadAsync(buffer, http.RequestAborted) is > 0 and var count)
        {
            body.Write(buffer, 0, count);
            if (body.Length > BodyLimit)
                throw KubernetesError.TooLarge(BodyLimit);
        }
        return body.ToArray();
    }
}
