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
    private readonly Webhooks _webhooks;
    private readonly Writes _writes;
    private readonly Reads _reads;
    private readonly Bindings _bindings;
    private readonly PodLogs _logs;

    public Gateway(ObjectStore store, LabFaults faults, TimeProvider time, CancellationToken stopping)
    {
        (_store, _faults, _time, _stopping) = (store, faults, time, stopping);
        _webhooks = new(store, time);
        _writes = new(store, _webhooks, time);
        _reads = new(store, time);
        _bindings = new(store, _webhooks, time);
        _logs = new(store);
    }

    /// <summary>What every lab has from its first start.</summary>
    public Task Prepare() => Bootstrap.Prepare(_store, _writes.Make);

    /// <summary>Ends events an hour after they were last seen, as a server does by default, until the server stops.</summary>
    public async Task ExpireEvents()
    {
        using var minute = new PeriodicTimer(TimeSpan.FromMinutes(1), _time);
        try
        {
            while (await minute.WaitForNextTickAsync(_stopping))
            {
                var oldest = _time.GetUtcNow().AddHours(-1);
                foreach (var old in _store.List(Resources.Events).Objects.Where(e => LastSeen(e) < oldest).ToArray())
                    _store.TryDelete(old);
            }
        }
        catch (OperationCanceledException)
        {
            // The server stops.
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

    private static DateTimeOffset? LastSeen(Stored e) => Ages.Parse(
        e.Body.TextAt("series", "lastObservedTime") ?? e.Body.TextAt("lastTimestamp") ?? e.Body.TextAt("metadata", "creationTimestamp"));

    private async Task Answer(HttpContext http, ReadOnlyMemory<byte> body, LabFault fate)
    {
        if (fate is LabFault.DropReply)
        {
            // Applied as always, and answered into nothing.
            http.Response.Body = Stream.Null;
        }
        if (HttpMethods.IsGet(http.Request.Method) && await Discovery.TryAnswer(http))
            return;
        if (http.Request is { Method: "POST", Path.Value: { } path } && path.Split('/') is ["", "api", "v1", "namespaces", var @namespace, "bindings"])
        {
            await Bind(http, @namespace, pod: null, body);
            return;
        }
        var at = ApiRequest.Parse(http.Request.Path.Value ?? "") ?? throw KubernetesError.NoSuchPath();
        await (at.Subresource is "" or "status" ? Object(http, at, body) : Subresource(http, at, body));
    }

    private Task Object(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var collection = at.Name.Length == 0;
        if (at.Subresource is "status" && !at.Resource.HasStatus)
            throw KubernetesError.NoSuchPath();
        return http.Request.Method switch
        {
            "GET" when !collection => Get(http, at),
            "GET" when http.Request.Query["watch"].ToString() is "true" or "1" => Watch(http, at),
            "GET" => _reads.List(http, at),
            "POST" when collection && at.Namespace is not null => Create(http, at, body),
            "PUT" when !collection => Replace(http, at, body),
            "PATCH" when !collection => Patch(http, at, body),
            "DELETE" when !collection && at.Subresource.Length == 0 => Delete(http, at, body),
            "DELETE" when collection && at.Namespace is not null => DeleteAll(http, at, body),
            _ => throw KubernetesError.MethodNotAllowed(),
        };
    }

    private Task Get(HttpContext http, ApiRequest at) => _reads.Get(http, at);

    private Task Watch(HttpContext http, ApiRequest at) => new WatchSession(_store, http, at, View.Of(http, at.Resource, _time)).Run(_stopping);

    private async Task Create(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "CreateOptions");
        var created = await _writes.Create(at, ObjectOf(http, body), options);
        Answers.Warn(http, options);
        await Answers.Write(http, 201, View.Of(http, at.Resource, _time).One(created));
    }

    private async Task Replace(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "UpdateOptions");
        var replaced = await _writes.Replace(at, ObjectOf(http, body), options);
        Answers.Warn(http, options);
        await Answers.Write(http, 200, View.Of(http, at.Resource, _time).One(replaced));
    }

    private async Task Patch(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "PatchOptions");
        var patched = await _writes.Patch(at, Patches.Of(http.Request.ContentType, body), options);
        Answers.Warn(http, options);
        await Answers.Write(http, 200, View.Of(http, at.Resource, _time).One(patched));
    }

    private async Task Delete(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var (asked, options) = DeleteOptions(http, body);
        var deleted = await _writes.Delete(at, asked, options);
        await (at.Resource.AnswersDeleted || deleted.Body.TextAt("metadata", "deletionTimestamp") is not null
            ? Answers.Write(http, 200, View.Of(http, at.Resource, _time).One(deleted))
            : Answers.Write(http, 200, Answers.Success(at.Resource, deleted)));
    }

    private async Task DeleteAll(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var (asked, options) = DeleteOptions(http, body);
        var deleted = await _writes.DeleteAll(at, Reads.SelectorOf(http, at), asked, options);
        await Answers.Write(http, 200, View.Of(http, at.Resource, _time).Many(deleted, View.Revision(_store.Revision)));
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
                var asked = Intake.Object(body).MapAt("deleteOptions") is { } inside ? Json.Copy(inside) : [];
                await _writes.Delete(at with { Subresource = "" }, asked, WriteOptions.From(http.Request.Query, "DeleteOptions"));
                await Answers.Write(http, 201, Answers.Success(201));
                break;
            case ("pods", "exec" or "attach" or "portforward"):
                _ = _store.Get(at.Resource, at.Namespace, at.Name);
                throw KubernetesError.NotImplemented($"the lab's API server does not carry {at.Subresource} streams; use kubectl logs, or run the command beside the container's process");
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

    private async Task Scale(HttpContext http, ApiRequest at, ReadOnlyMemory<byte> body)
    {
        var options = WriteOptions.From(http.Request.Query, "UpdateOptions");
        var scales = new Scales(_store, _writes);
        await Answers.Write(http, 200, http.Request.Method switch
        {
            "GET" => scales.Get(at),
            "PUT" => await scales.Change(at, _ => Intake.Object(body), options),
            "PATCH" => await scales.Change(at, Patches.Of(http.Request.ContentType, body), options),
            _ => throw KubernetesError.MethodNotAllowed(),
        });
    }

    // The older door, /namespaces/x/bindings, takes the pod's name from the Binding.
    private async Task Bind(HttpContext http, string @namespace, string? pod, ReadOnlyMemory<byte> body)
    {
        var binding = Intake.Object(body);
        var options = WriteOptions.From(http.Request.Query, "CreateOptions");
        await _bindings.Bind(@namespace, pod ?? binding.TextAt("metadata", "name") ?? "", binding, options);
        await Answers.Write(http, 201, Answers.Success(201));
    }

    private static (JsonObject Asked, WriteOptions Options) DeleteOptions(HttpContext http, ReadOnlyMemory<byte> body)
    {
        var asked = body.IsEmpty ? [] : Intake.Object(body);
        var query = http.Request.Query;
        if (body.IsEmpty && long.TryParse(query["gracePeriodSeconds"], out var seconds))
            asked["gracePeriodSeconds"] = seconds;
        var dry = (asked["dryRun"] as JsonArray ?? []).Any(d => d?.GetValue<string>() is "All");
        var options = WriteOptions.From(query, "DeleteOptions");
        return (asked, options with { DryRun = options.DryRun || dry });
    }

    private static JsonObject ObjectOf(HttpContext http, ReadOnlyMemory<byte> body) => (http.Request.ContentType?.Split(';')[0].Trim() ?? "") switch
    {
        "" or Answers.JsonType => Intake.Object(body),
        ProtobufBody.Type when ProtobufBody.Decode(body) is { } decoded => decoded,
        _ => throw KubernetesError.UnsupportedMediaType(Answers.JsonType),
    };

    private static async Task<ReadOnlyMemory<byte>> ReadBody(HttpContext http)
    {
        if (http.Request.ContentLength > BodyLimit)
            throw KubernetesError.TooLarge(BodyLimit);
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
