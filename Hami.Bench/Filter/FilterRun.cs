using System.Buffers;
using System.Diagnostics;
using Hami.Api;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.Telling;
using Hami.Api.Registering;
using Hami.Domain.Placing;
using Hami.Domain.Protocol;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;

namespace Hami.Bench.Filter;

/// <summary>Asks the product's own filter: request bytes in, answer bytes out.</summary>
internal sealed class FilterRun(FilterCluster cluster, string? policy)
{
    // The runtime compiles what runs often a second time; over HTTP that takes about a thousand calls.
    private const int WarmUps = 2000;

    public async Task<FilterReport> MeasureAsync(int calls, bool http, CancellationToken cancellationToken)
    {
        await using var app = Host();
        await app.StartAsync(cancellationToken);
        using var client = new HttpClient { BaseAddress = new(app.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.First()) };
        var handler = app.Services.GetRequiredService<FilterHandler>();
        var told = app.Services.GetRequiredService<PodEvents>().Unworded;
        var output = new ArrayBufferWriter<byte>(1 << 20);
        var bodies = FilterBodies.All(cluster.Names, policy);
        var times = bodies.Select(_ => new List<double>()).ToArray();
        long allocated = 0;

        for (var i = -WarmUps; i < calls; i++)
        {
            var at = (i + WarmUps) % bodies.Count;
            var body = bodies[at].Body;
            var before = GC.GetAllocatedBytesForCurrentThread();
            var began = Stopwatch.GetTimestamp();
            if (http)
            {
                // Read as it comes: an answer put together in one piece would make this client's garbage our pauses.
                using var question = new HttpRequestMessage(HttpMethod.Post, "/filter") { Content = new ByteArrayContent(body) { Headers = { ContentType = new("application/json") } } };
                using var answer = await client.SendAsync(question, HttpCompletionOption.ResponseHeadersRead, cancellationToken);
                await answer.Content.CopyToAsync(Stream.Null, cancellationToken);
            }
            else
            {
                output.ResetWrittenCount();
                (await handler.Handle(new(ExtenderArguments.Read(body, cluster.View)), cancellationToken)).WriteTo(output);
            }
            if (i >= 0)
            {
                times[at].Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
                allocated += GC.GetAllocatedBytesForCurrentThread() - before;
            }
            // As its bind would: what was reserved is reserved no more.
            cluster.View.DropReservation(FilterBodies.PodUid);
            while (told.TryRead(out _))
            {
                // The sender of events, on its own thread.
            }
            cluster.Change();
        }
        var all = times.SelectMany(t => t).Order().ToList();
        using var process = Process.GetCurrentProcess();
        return new(
            cluster.Names.Count, cluster.View.Node(cluster.Names[0])!.Cards.Length, At(all, 0.5), At(all, 0.99), 1000 / all.Average(), http ? 0 : allocated / calls,
            process.WorkingSet64 >> 20, Floor(), 100 * cluster.Allocated,
            [.. bodies.Select((b, i) => new ShapeReport(b.Shape, times[i].Count, times[i].Min(), At([.. times[i].Order()], 0.5), At([.. times[i].Order()], 0.99)))]);
    }

    /// <summary>What cannot be spared: every name is looked up and its node's cards are read once.</summary>
    private double Floor()
    {
        var best = double.MaxValue;
        for (var i = 0; i < 200; i++)
        {
            var began = Stopwatch.GetTimestamp();
            long free = 0;
            foreach (var name in cluster.Names)
            {
                foreach (var use in cluster.View.Node(name)!.Uses)
                    free += use.MemoryMiB;
            }
            var took = Stopwatch.GetElapsedTime(began).TotalMilliseconds;
            if (free > 0 && took < best)
                best = took;
        }
        return best;
    }

    private WebApplication Host()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Services.AddSingleton(cluster.View);
        builder.Services.AddSingleton<ILedgerReader>(cluster).AddSingleton<IReadiness>(cluster);
        builder.Services.AddSingleton(PlacementPolicy.Default).AddSingleton(NvidiaConfig.Hami).AddSingleton(ExtenderSettings.Default);
        builder.Services.AddSingleton<WaitingPods>().AddSingleton<IPendingPods, NobodyPending>().AddSingleton<SeenNodes>().AddSingleton<PolicyInForce>().AddSingleton<AskReader>().AddSingleton<PodEvents>().AddSingleton<IRefusalLog, NoLog>();
        builder.Services.AddMediator(mediator => mediator.ServiceLifetime = ServiceLifetime.Singleton);
        var app = builder.Build();
        app.MapFilter();
        return app;
    }

    private static double At(List<double> sorted, double part) => sorted[(int)Math.Min(sorted.Count - 1, Math.Ceiling(sorted.Count * part) - 1)];

    private sealed class NobodyPending : IPendingPods
    {
        public ValueTask<bool> HasAsync(string podNamespace, string name, string uid, CancellationToken cancellationToken) => new(false);
    }

    /// <summary>Refusals are written behind the answer's back; here nobody writes them.</summary>
    private sealed class NoLog : IRefusalLog
    {
        public void Record(RefusePlacement refusal)
        {
        }
    }
}
