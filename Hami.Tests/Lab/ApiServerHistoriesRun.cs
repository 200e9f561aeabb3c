using System.Collections.Concurrent;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Hami.Lab.ApiServer;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>One run of many writers and watchers against one log, through one or more lives of a server.</summary>
internal sealed class ApiServerHistoriesRun(int seed, string log)
{
    private static readonly string[] Namespaces = ["default", "kube-system", "hami"];
    private static readonly string[] Colours = ["red", "blue", "green"];
    private static readonly string[] Phases = ["Running", "Succeeded", "Failed"];

    private readonly ConcurrentDictionary<(string Resource, long Revision), Change> _history = new();
    private readonly ConcurrentBag<(string Resource, long Revision, string Body)> _answered = [];
    private readonly TaskCompletionSource<Uri> _address = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private int _written;

    public async Task Hold(int lives, int writers, int writes, int watchers)
    {
        var server = await Start(port: 0);
        _address.SetResult(server.Address);
        using var quiet = new CancellationTokenSource();
        var all = Enumerable.Range(0, watchers).Select(w => new ApiServerWatcher(seed * 1000 + w, everything: w == 0)).ToArray();
        var watching = all.Select(w => Task.Run(() => Watch(w, quiet.Token), Cancellation)).ToArray();
        await all[0].Begun.WaitAsync(TimeSpan.FromMinutes(1), Cancellation);
        var writing = Task.WhenAll(Enumerable.Range(0, writers).Select(w => Task.Run(() => Write(new Random(seed * 100 + w), writes), Cancellation)));
        for (var life = 1; life < lives; life++)
        {
            // It goes down when a share of the writes is done, with others on their way.
            while (Volatile.Read(ref _written) < writers * writes * life / lives && !writing.IsCompleted)
                await Task.Delay(5, Cancellation);
            var port = server.Address.Port;
            await server.DisposeAsync();
            Remember(server.Store);
            var before = server.Store.Revision;
            server = await Start(port);
            // Not equal: clients that waited for it have begun to write again.
            Assert.True(server.Store.Revision >= before, $"seed {seed}: a server that had come to {before} begins at {server.Store.Revision}");
        }
        await writing.WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        await quiet.CancelAsync();
        var watched = await Task.WhenAll(watching).WaitAsync(TimeSpan.FromMinutes(2), Cancellation);
        await server.DisposeAsync();
        Remember(server.Store);

        foreach (var (resource, revision, body) in _answered)
        {
            Assert.True(_history.TryGetValue((resource, revision), out var change) && Text(change.After) == body,
                $"seed {seed}: what was answered of {resource} at {revision} is not what is in the history");
        }
        var histories = _history.GroupBy(h => h.Key.Resource, StringComparer.Ordinal)
            .ToDictionary(g => g.Key, g => g.Select(h => h.Value).OrderBy(c => c.Revision).ToList(), StringComparer.Ordinal);
        // The first one heard every pod: so the run was not an empty one.
        Assert.True(watched[0].Events > writers * writes / 8, $"seed {seed}: there was hardly anything to hear");
        foreach (var watcher in watched)
            watcher.Check(histories.GetValueOrDefault(watcher.Resource, []), $"seed {seed}, {watcher}");
    }

    private Task<LabApiServer> Start(int port) => LabApiServer.StartAsync(new() { StorePath = log, Port = port }, Cancellation);

    private void Remember(ObjectStore store)
    {
        foreach (var resource in (Resource[])[Resources.Pods, Resources.All.Single(r => r.Plural is "configmaps")])
        {
            foreach (var change in store.Everything(resource))
            {
                var known = _history.GetOrAdd((resource.Plural, change.Revision), change);
                Assert.True(Text(known.After) == Text(change.After), $"seed {seed}: revision {change.Revision} is not what it was before the server went down");
            }
        }
    }

    private static string Text(Stored? stored) => stored is null ? "" : Encoding.UTF8.GetString(stored.Utf8.Span);

    private async Task Write(Random random, int writes)
    {
        using var client = new HttpClient { BaseAddress = await _address.Task, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
        for (var done = 0; done < writes;)
        {
            try
            {
                await WriteOnce(client, random);
            }
            catch (HttpRequestException)
            {
                // The server is down; whether it took this one nobody knows, and the next one is another.
                await Task.Delay(10, Cancellation);
                continue;
            }
            done++;
            Interlocked.Increment(ref _written);
        }
    }

    private async Task WriteOnce(HttpClient client, Random random)
    {
        string Any(string[] of) => of[random.Next(of.Length)];
        var pods = random.Next(3) > 0;
        var (collection, name) = ($"/api/v1/namespaces/{Any(Namespaces)}/{(pods ? "pods" : "configmaps")}", $"o{random.Next(6)}");
        var labels = $$$"""{"labels":{"colour":"{{{Any(Colours)}}}"}}""";
        var spec = pods ? ""","spec":{"containers":[{"name":"c","image":"x"}],"terminationGracePeriodSeconds":0}""" : "";
        var (method, path, body, type) = random.Next(pods ? 8 : 6) switch
        {
            0 or 1 => ("POST", collection, $$$"""{"metadata":{"name":"{{{name}}}","labels":{"colour":"{{{Any(Colours)}}}"}}""" + spec + "}", "application/json"),
            2 => ("PATCH", $"{collection}/{name}", "{\"metadata\":" + labels + "}", "application/merge-patch+json"),
            3 => ("PATCH", $"{collection}/{name}", """{"metadata":{"labels":{"colour":null}}}""", "application/strategic-merge-patch+json"),
            4 => ("DELETE", $"{collection}/{name}", "", ""),
            5 when !pods => ("PUT", $"{collection}/{name}", $$$"""{"metadata":{"name":"{{{name}}}"},"data":{"n":"{{{random.Next()}}}"}}""", "application/json"),
            5 => ("PATCH", $"{collection}/{name}", """[{"op":"add","path":"/metadata/annotations","value":{"n":"NUMBER"}}]""".Replace("NUMBER", $"{random.Next()}", StringComparison.Ordinal), "application/json-patch+json"),
            6 => ("POST", $"{collection}/{name}/binding", $$$"""{"metadata":{"name":"{{{name}}}"},"target":{"kind":"Node","name":"n{{{random.Next(3)}}}"}}""", "application/json"),
            _ => ("PATCH", $"{collection}/{name}/status", $$$"""{"status":{"phase":"{{{Any(Phases)}}}"}}""", "application/merge-patch+json"),
        };
        using var request = new HttpRequestMessage(new HttpMethod(method), path);
        if (body.Length > 0)
            request.Content = new StringContent(body, Encoding.UTF8, new System.Net.Http.Headers.MediaTypeHeaderValue(type));
        using var response = await client.SendAsync(request, Cancellation);
        var answer = await response.Content.ReadAsStringAsync(Cancellation);
        Assert.True(response.StatusCode is HttpStatusCode.OK or HttpStatusCode.Created or HttpStatusCode.NotFound or HttpStatusCode.Conflict, $"seed {seed}: {method} {path}: {answer}");
        if (response.IsSuccessStatusCode && method is not "DELETE" && JsonNode.Parse(answer) is JsonObject written && (string?)written["kind"] is "Pod" or "ConfigMap")
        {
            var at = long.Parse((string)JsonNode.Parse(answer)!["metadata"]!["resourceVersion"]!);
            var stored = JsonNode.Parse(answer)!.AsObject();
            stored.Remove("kind");
            stored.Remove("apiVersion");
            _answered.Add((pods ? "pods" : "configmaps", at, Encoding.UTF8.GetString(Json.Utf8(stored))));
        }
    }

    private async Task<ApiServerWatcher> Watch(ApiServerWatcher watcher, CancellationToken quiet)
    {
        using var client = new HttpClient { BaseAddress = await _address.Task, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
        // A random moment: when that many writes are done.
        while (Volatile.Read(ref _written) < watcher.BeginsAfter && !quiet.IsCancellationRequested)
            await Task.Delay(2, Cancellation);
        while (true)
        {
            var last = quiet.IsCancellationRequested;
            try
            {
                await watcher.Listen(client, toTheEnd: last);
                if (last)
                    return watcher;
            }
            catch (Exception e) when (e is HttpRequestException or IOException)
            {
                await Task.Delay(10, Cancellation);
            }
        }
    }
}
