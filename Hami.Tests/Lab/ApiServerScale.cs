using System.Diagnostics;
using System.IO.Compression;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Hami.Tests.Lab;

using static ApiServerGiven;

/// <summary>A cluster of a thousand nodes and ten thousand pods in one process.</summary>
public sealed class ApiServerScale(ITestOutputHelper output) : IDisposable
{
    private const long MiB = 1024 * 1024;

    private readonly string _folder = Directory.CreateTempSubdirectory("hami-lab-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public Task Each_of_many_kubelets_hears_of_its_own_pods_and_a_long_list_is_compressed() => Fill(nodes: 40, pods: 200);

    [Fact]
    [Trait("Category", "Long")]
    public async Task A_thousand_nodes_and_ten_thousand_pods_fit_into_a_few_hundred_MiB() => Assert.InRange(await Fill(nodes: 1000, pods: 10_000), 0, 400 * MiB);

    /// <summary>Returns how much more lies on the heap afterwards.</summary>
    private async Task<long> Fill(int nodes, int pods)
    {
        var before = Heap();
        var clock = Stopwatch.StartNew();
        await using var lab = await Running(new() { StorePath = Path.Combine(_folder, "store.jsonl") });
        using var writers = new HttpClient(new SocketsHttpHandler { MaxConnectionsPerServer = 8 }) { BaseAddress = lab.Server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
        using var watchers = new HttpClient(new SocketsHttpHandler()) { BaseAddress = lab.Server.Address, DefaultRequestHeaders = { Authorization = new("Bearer", "lab") } };
        using var hangUp = CancellationTokenSource.CreateLinkedTokenSource(Cancellation);
        var node = """{"metadata":{"name":"NAME","annotations":{"hami.io/node-nvidia-register":"REGISTER"}},"status":{"capacity":{"cpu":"64","memory":"512Gi","nvidia.com/gpu":"80"}}}"""
            .Replace("REGISTER", new string('r', 2000), StringComparison.Ordinal);
        await Each(nodes, i => Send(writers, HttpMethod.Post, "/api/v1/nodes", node.Replace("NAME", $"node-{i}", StringComparison.Ordinal)));

        // A kubelet each, which hears of its own pods only.
        var (heard, listening) = (0, 0);
        var watching = Enumerable.Range(0, nodes).Select(i => Task.Run(async () =>
        {
            using var response = await watchers.GetAsync($"/api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dnode-{i}", HttpCompletionOption.ResponseHeadersRead, hangUp.Token);
            Interlocked.Increment(ref listening);
            using var lines = new StreamReader(await response.Content.ReadAsStreamAsync(hangUp.Token));
            while (await lines.ReadLineAsync(hangUp.Token) is { } line)
            {
                Assert.Contains($"\"nodeName\":\"node-{i}\"", line, StringComparison.Ordinal);
                Interlocked.Increment(ref heard);
            }
        }, Cancellation)).ToArray();

        await Eventually(() => Volatile.Read(ref listening) == nodes);
        var pod = """{"metadata":{"name":"NAME","labels":{"app":"demo"},"annotations":{"filler":"FILLER"}},"spec":{"containers":[{"name":"c","image":"busybox:1.36","resources":{"limits":{"nvidia.com/gpu":"1","nvidia.com/gpumem":3000}}}]}}"""
            .Replace("FILLER", new string('f', 2500), StringComparison.Ordinal);
        await Each(pods, async i =>
        {
            var path = $"/api/v1/namespaces/default/pods/pod-{i}";
            await Send(writers, HttpMethod.Post, "/api/v1/namespaces/default/pods", pod.Replace("NAME", $"pod-{i}", StringComparison.Ordinal));
            await Send(writers, HttpMethod.Post, $"{path}/binding", $$$"""{"metadata":{"name":"pod-{{{i}}}"},"target":{"kind":"Node","name":"node-{{{i % nodes}}}"}}""");
            foreach (var phase in (string[])["allocating", "success"])
                await Send(writers, HttpMethod.Patch, path, "{\"metadata\":{\"annotations\":{\"hami.io/bind-phase\":\"" + phase + "\"}}}");
            foreach (var phase in (string[])["Running", "Succeeded"])
                await Send(writers, HttpMethod.Patch, $"{path}/status", "{\"status\":{\"phase\":\"" + phase + "\"}}");
            foreach (var reason in (string[])["Scheduled", "Started"])
                await Send(writers, HttpMethod.Post, "/api/v1/namespaces/default/events",
                    $$$"""{"metadata":{"name":"pod-{{{i}}}.{{{reason.ToLowerInvariant()}}}"},"involvedObject":{"kind":"Pod","name":"pod-{{{i}}}"},"reason":"{{{reason}}}","message":"it is so"}""");
        });
        output.WriteLine($"{nodes} nodes, {pods} pods written 6 times, {2 * pods} events: {clock.Elapsed.TotalSeconds:F1} s");
        await Eventually(() => Volatile.Read(ref heard) >= 5 * pods);
        await hangUp.CancelAsync();
        await Task.WhenAll(watching).ContinueWith(_ => { }, TaskScheduler.Default);
        Assert.Equal(5 * pods, heard);
        var kept = Heap() - before;
        output.WriteLine($"kept on the heap: {kept / MiB} MiB; resident: {Environment.WorkingSet / MiB} MiB");

        clock.Restart();
        var (bytes, compressed) = await ListAll(lab.Raw, pods);
        output.WriteLine($"a list of all pods: {bytes / MiB} MiB, as gzip {compressed / 1024} KiB, both in {clock.ElapsedMilliseconds} ms");
        Assert.True(compressed < bytes / 5);
        return kept;
    }

    private static async Task<(long Bytes, long Compressed)> ListAll(HttpClient client, int pods)
    {
        var whole = await client.GetByteArrayAsync("/api/v1/pods", Cancellation);
        Assert.Equal(pods, JsonNode.Parse(whole)!["items"]!.AsArray().Count);
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/pods");
        request.Headers.AcceptEncoding.ParseAdd("gzip");
        using var response = await client.SendAsync(request, Cancellation);
        Assert.Equal("gzip", Assert.Single(response.Content.Headers.ContentEncoding));
        var packed = await response.Content.ReadAsByteArrayAsync(Cancellation);
        await using var unpacked = new GZipStream(new MemoryStream(packed), CompressionMode.Decompress);
        using var copy = new MemoryStream();
        await unpacked.CopyToAsync(copy, Cancellation);
        Assert.Equal(whole, copy.ToArray());
        return (whole.Length, packed.Length);
    }

    private static async Task Eventually(Func<bool> holds)
    {
        for (var patience = 0; !holds() && patience < 6000; patience++)
            await Task.Delay(10, Cancellation);
    }

    private static Task Each(int count, Func<int, Task> act) =>
        Parallel.ForAsync(0, count, new ParallelOptions { MaxDegreeOfParallelism = 8, CancellationToken = Cancellation }, async (i, _) => await act(i));

    private static async Task Send(HttpClient client, HttpMethod method, string path, string body)
    {
        var type = method == HttpMethod.Patch ? "application/merge-patch+json" : "application/json";
        using var request = new HttpRequestMessage(method, path) { Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue(type)) };
        using var response = await client.SendAsync(request, Cancellation);
        Assert.True(response.IsSuccessStatusCode, $"{method} {path}: {(int)response.StatusCode}");
    }

    private static long Heap()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        return GC.GetTotalMemory(forceFullCollection: true);
    }
}
