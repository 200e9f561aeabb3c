extern alias api;

using System.Collections.Concurrent;
using System.Net;
using api::Hami.Telemetry.V1;
using Grpc.Core;
using Hami.NodeAgent.Observing;
using Hami.NodeAgent.Plumbing;
using Hami.Tests.Plumbing;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using static Hami.Tests.Allocating.AgentOnANode;
using static Hami.Tests.Observing.TelemetryGiven;

namespace Hami.Tests.Observing;

/// <summary>The node agent tells the control plane what it measures, and is not disturbed when that is away.</summary>
public sealed class TellingTelemetry : IAsyncLifetime
{
    private readonly TlsFilesOnDisk _files = new();
    private readonly NodeReadings _readings = new();
    private readonly LogLines _lines = new();
    private Listening _api = null!;
    private TelemetrySender? _sender;

    public async ValueTask InitializeAsync() => _api = await Listening.StartAsync(_files);

    public async ValueTask DisposeAsync()
    {
        if (_sender is not null)
            await _sender.StopAsync(CancellationToken.None);
        _sender?.Dispose();
        await _api.DisposeAsync();
        _files.Dispose();
    }

    [Fact]
    public async Task What_is_measured_arrives_once_in_order_with_the_agents_token()
    {
        await StartAsync();
        for (var i = 0; i < 20; i++)
            await MeasureAsync(i);

        await Eventually(() => _api.Told.Count == 20);
        Assert.Equal(Enumerable.Range(0, 20).Select(At), _api.Told);
        Assert.All(_api.Reports, r => Assert.Equal(("node-1", "Bearer first"), (r.Request.Node, r.Token)));
        var sample = _api.Reports.First().Request.Moments[0];
        Assert.Equal((50u, 3ul << 30, 61, false), (sample.Cards[0].Busy, sample.Cards[0].MemoryUsedBytes, sample.Cards[0].TemperatureCelsius, sample.Cards[0].HasPowerMilliwatt));
        var (request, card) = (_api.Reports.First().Request, _api.Reports.First().Request.Cards[0]);
        Assert.Equal(("580.159.04", 72, false, 79u), (request.DriverVersion, card.MemoryTemperatureCelsius, card.HasFanPercent, card.LastXid));
        Assert.Equal((40u, 2ul << 30), (sample.Shares[0].Busy, sample.Shares[0].MemoryUsedBytes));
        Assert.Equal(("uid-1", "main", "GPU-a"), (_api.Reports.First().Request.Shares[0].PodUid, _api.Reports.First().Request.Shares[0].Container, _api.Reports.First().Request.Shares[0].DeviceUuid));
    }

    [Fact]
    public async Task While_the_control_plane_is_away_moments_wait_and_arrive_without_loss_once_it_is_back()
    {
        await StartAsync();
        await MeasureAsync(0);
        await Eventually(() => _api.Told.Count == 1);
        await _api.StopAsync();
        for (var i = 1; i < 40; i++)
            await MeasureAsync(i);
        await Eventually(() => Said("is not told what was measured"));
        await _api.StartAgainAsync();

        await Eventually(() => _api.Told.Distinct().Count() == 40);
        Assert.Equal(Enumerable.Range(0, 40).Select(At), _api.Told.Distinct());
        await Eventually(() => Said("is told again"));
        // Once, not with every attempt.
        Assert.Equal(1, Count("is not told what was measured"));
    }

    [Fact]
    public async Task Of_more_than_may_wait_the_oldest_are_given_up_counted_and_said_once()
    {
        _api.Answer = () => throw new RpcException(new(StatusCode.Unavailable, "not now"));
        await StartAsync(mostWaiting: 10);
        for (var i = 0; i < 25; i++)
            await MeasureAsync(i);
        await Eventually(() => _sender!.Dropped == 15);
        _api.Answer = () => new();
        await Eventually(() => _api.Taken.Count >= 10);

        Assert.Equal(Enumerable.Range(15, 10).Select(At), _api.Taken);
        Assert.Equal(15ul, _api.Reports.Last().Request.Dropped);
        await Eventually(() => Said("15 moments were given up"));
        await MeasureAsync(25);
        await Eventually(() => _api.Taken.Count == 11);
        Assert.Equal(1, Count("were given up while"));
    }

    [Fact]
    public async Task A_renewed_token_and_another_authority_are_taken_over_without_a_restart()
    {
        await StartAsync();
        await MeasureAsync(0);
        await Eventually(() => _api.Told.Count == 1);
        using var other = TlsFilesOnDisk.Authority("others");
        var files = new TlsFilesOnDisk();
        files.Swap(TlsFilesOnDisk.Issue("CN=hami-api", other, server: true), other);
        await _api.StopAsync();
        await _api.StartAgainAsync(files);
        _files.Write("token", "second\n");
        await MeasureAsync(1);
        await Eventually(() => Said("is not told what was measured"));
        Assert.Single(_api.Told);
        _files.Write("authority.pem", other.ExportCertificatePem());

        await Eventually(() => _api.Told.Count == 2);
        Assert.Equal("Bearer second", _api.Reports.Last().Token);
        files.Dispose();
    }

    [Fact]
    public async Task A_report_that_is_refused_as_senseless_is_not_told_again_and_the_sentence_is_said_once()
    {
        _api.Answer = () => throw new RpcException(new(StatusCode.InvalidArgument, "A name in the report is empty."));
        await StartAsync();
        for (var i = 0; i < 3; i++)
        {
            await MeasureAsync(i);
            await Eventually(() => _api.Told.Contains(At(i)));
        }
        _api.Answer = () => new() { Refused = { "busy is 255; it must be from 0 to 100 percent, and counts as unknown." } };
        await MeasureAsync(3);

        await Eventually(() => Said("busy is 255"));
        Assert.Equal(Enumerable.Range(0, 4).Select(At), _api.Told);
        Assert.Equal(1, Count("A name in the report is empty."));
    }

    [Fact]
    public async Task A_control_plane_that_never_answers_is_given_up_after_the_deadline_and_told_again()
    {
        var hang = new TaskCompletionSource();
        _api.Before = () => hang.Task;
        await StartAsync();
        await MeasureAsync(0);
        await Eventually(() => Said("is not told what was measured"));
        _api.Before = () => Task.CompletedTask;
        await Eventually(() => _api.Taken.Contains(At(0)));
        hang.SetResult();
    }

    [Fact]
    public async Task Without_an_address_nobody_is_told_and_nothing_waits()
    {
        _sender = new(new AgentOptions { NodeName = "node-1", DeviceFile = "" }, _readings, TimeProvider.System, new LoggerFactory([_lines]).CreateLogger<TelemetrySender>());
        await _sender.StartAsync(CancellationToken.None);
        await _sender.ExecuteTask!;
        _readings.Set(Moment(0));
        Assert.Equal(0ul, _sender.Dropped);
    }

    [Theory]
    [InlineData("http://hami-api:80")]
    [InlineData("hami-api:443")]
    public void An_address_that_would_show_the_token_to_others_is_refused(string address)
    {
        var command = new System.CommandLine.RootCommand();
        foreach (var option in TelemetryFlags.All)
            command.Add(option);
        var wrong = Assert.Throws<InvalidOperationException>(() => TelemetryFlags.Read(command.Parse(["--api-address", address])));
        Assert.Contains("it must look like https://", wrong.Message, StringComparison.Ordinal);
        Assert.Null(TelemetryFlags.Read(command.Parse([])));
    }

    private async Task StartAsync(int mostWaiting = 360)
    {
        var options = new TelemetryOptions(
            _api.Address, _files.Write("authority.pem", _files.ServerAuthority.ExportCertificatePem()), _files.Write("token", "first\n"))
        {
            Interval = TimeSpan.FromMilliseconds(20), FirstPause = TimeSpan.FromMilliseconds(20), LongestPause = TimeSpan.FromMilliseconds(100), Patience = TimeSpan.FromSeconds(2),
            MostWaiting = mostWaiting,
        };
        _sender = new(new AgentOptions { NodeName = "node-1", DeviceFile = "", Telemetry = options }, _readings, TimeProvider.System, new LoggerFactory([_lines]).CreateLogger<TelemetrySender>());
        await _sender.StartAsync(CancellationToken.None);
    }

    /// <summary>Sets the next moment once the last was seen.</summary>
    private async Task MeasureAsync(int number)
    {
        _readings.Set(Moment(number));
        await Eventually(() => _sender!.Gathered > (ulong)number);
    }

    private bool Said(string part) => Count(part) > 0;

    private int Count(string part) => _lines.Lines.Count(l => l.Contains(part, StringComparison.Ordinal));

    private static long At(int number) => Noon.AddSeconds(5 * number).ToUnixTimeMilliseconds();

    private static NodeMoment Moment(int number) => new(
        Noon.AddSeconds(5 * number), [new("GPU-a", 0, "A100", true, 40L << 30, 3L << 30, 50, 10, 61, null, 1000, 72, null, 79)],
        [new("uid-1", "default", "p", "main", 0, 0, "GPU-a", 1L << 30, 4L << 30, 0, 0, 1L << 30, 2L << 30, 40, null, 1)], "580.159.04");

    /// <summary>A control plane that only listens.</summary>
    private sealed class Listening : IAsyncDisposable
    {
        private WebApplication? _app;
        private TlsFilesOnDisk _files = null!;

        public ConcurrentQueue<(ReportRequest Request, string Token)> Reports { get; } = [];

        /// <summary>Times of all moments that were told, in the order in which they came.</summary>
        public IReadOnlyList<long> Told => [.. Reports.SelectMany(r => r.Request.Moments.Select(m => m.UnixMs))];

        /// <summary>Of those that were answered.</summary>
        public ConcurrentQueue<long> Taken { get; } = [];

        public Func<ReportResponse> Answer { get; set; } = () => new();

        public Func<Task> Before { get; set; } = () => Task.CompletedTask;

        public Uri Address { get; private set; } = null!;

        public static async Task<Listening> StartAsync(TlsFilesOnDisk files)
        {
            var api = new Listening { Address = new($"https://127.0.0.1:{Hami.Lab.Cluster.Loopback.FreePort()}/") };
            await api.StartAgainAsync(files);
            return api;
        }

        public async Task StartAgainAsync(TlsFilesOnDisk? files = null)
        {
            _files = files ?? _files;
            var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
            builder.Logging.ClearProviders();
            using var pem = System.Security.Cryptography.X509Certificates.X509Certificate2.CreateFromPemFile(_files.Certificate, _files.Key);
            var certificate = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadPkcs12(pem.Export(System.Security.Cryptography.X509Certificates.X509ContentType.Pkcs12), null);
            builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, Address.Port, listen =>
            {
                listen.Protocols = HttpProtocols.Http1AndHttp2;
                listen.UseHttps(certificate);
            }));
            builder.Services.AddGrpc();
            builder.Services.AddSingleton(this);
            _app = builder.Build();
            _app.MapGrpcService<Endpoint>();
            await _app.StartAsync();
        }

        public async Task StopAsync()
        {
            if (_app is not null)
                await _app.DisposeAsync();
            _app = null;
        }

        public ValueTask DisposeAsync() => new(StopAsync());

        private sealed class Endpoint(Listening api) : api::Hami.Telemetry.V1.Telemetry.TelemetryBase
        {
            public override async Task<ReportResponse> Report(ReportRequest request, ServerCallContext context)
            {
                await api.Before();
                api.Reports.Enqueue((request, context.RequestHeaders.GetValue("authorization") ?? ""));
                var answer = api.Answer();
                foreach (var moment in request.Moments)
                    api.Taken.Enqueue(moment.UnixMs);
                return answer;
            }
        }
    }
}
