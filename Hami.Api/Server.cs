using System.Net.Sockets;
using Hami.Api.Access;
using Hami.Api.Access.SigningIn;
using Hami.Api.Admitting;
using Hami.Api.Asking;
using Hami.Api.Binding;
using Hami.Api.Measuring;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.GraphQL;
using Hami.Api.Plumbing.Kubernetes;
using Hami.Api.Plumbing.Listening;
using Hami.Api.Plumbing.Pages;
using Hami.Api.Plumbing.Telling;
using Hami.Api.Quotas;
using Hami.Api.Reading;
using Hami.Api.Registering;
using Hami.Api.Releasing;
using Hami.Api.Replaying;
using Hami.Domain.Admitting;
using Hami.Domain.Placing;
using Marten;
using Microsoft.AspNetCore.Connections;
using Npgsql;
using Serilog;

namespace Hami.Api;

/// <summary>Puts the rooms together, in the order of the flow.</summary>
internal static partial class Server
{
    public static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        // Not the current directory: a builder watches all below it, and that may be "/".
        var builder = WebApplication.CreateSlimBuilder(new WebApplicationOptions { ContentRootPath = AppContext.BaseDirectory });
        builder.Host.UseSerilog((_, logging) => logging
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", Serilog.Events.LogEventLevel.Warning)
            .MinimumLevel.Override("Marten", Serilog.Events.LogEventLevel.Warning)
            // What goes wrong while somebody signs in is said in a line of ours, and that the keys of that lie in PostgreSQL in the threat model.
            .MinimumLevel.Override("Microsoft.AspNetCore.Authentication.OpenIdConnect", Serilog.Events.LogEventLevel.Fatal)
            .MinimumLevel.Override("Microsoft.AspNetCore.DataProtection", Serilog.Events.LogEventLevel.Error)
            .MinimumLevel.Override("System.Net.Http", Serilog.Events.LogEventLevel.Warning)
            // The host calls a service failed that it stops before it has begun, as when an address is in use.
            .Filter.ByExcluding(said => said is { Exception: TaskCanceledException { StackTrace: { } trace } } && trace.Contains("TryExecuteBackgroundServiceAsync", StringComparison.Ordinal))
            .WriteTo.Console(outputTemplate: "{Timestamp:HH:mm:ss.fff} {Level:u3} {SourceContext} {Message:lj}{NewLine}{Exception}"));
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel => kestrel.ListenAt(options.Listen));
        AddServices(builder.Services, options);

        await using var app = builder.Build();
        app.UseListeners();
        app.UseAccess(options.Access);
        app.UseStageTimes();
        var (everybody, scheduler) = (app.For(Callers.Public), app.For(Callers.Scheduler));
        everybody.Timed(Stage.Webhook).AsWebhook().MapWebhook();
        scheduler.Timed(Stage.FilterHttp).AsExtender().MapFilter();
        if (options.Placement.Mode is ExtenderMode.Score)
            scheduler.AsExtender().MapPrioritize();
        scheduler.AsExtender().MapPreempt();
        scheduler.Timed(Stage.BindHttp).AsExtender().MapBind();
        everybody.MapTelemetry();
        everybody.MapGraphQL();
        everybody.MapGraphiQL();
        everybody.MapSignIn(options.Access);
        everybody.MapWebUI(options.Access.Oidc is { SignIn: { } signIn } oidc ? SignIn.Invitation(oidc, signIn) : "");
        app.For(Callers.Prometheus).MapMetrics(options.LegacyMetrics, options.WebUiMetrics);
        app.For(Callers.Public | Callers.Scheduler | Callers.Prometheus).MapProbes();
        if (options.Profiling)
            scheduler.MapDiagnostics();

        options.Listen.Say(app.Logger);
        options.Access.Say(app.Logger);
        if (options.Idle.Count > 0)
            LogIdle(app.Logger, string.Join(' ', options.Idle));
        try
        {
            await app.RunAsync(cancellationToken);
            return 0;
        }
        catch (Exception e) when (e is SocketException or IOException { InnerException: AddressInUseException })
        {
            await Console.Error.WriteLineAsync(e.Message);
            return 1;
        }
    }

    /// <summary>Everything but the listeners.</summary>
    internal static void AddServices(IServiceCollection services, ServeOptions options)
    {
        AddPlumbing(services, options);
        AddRooms(services, options);
    }

    private static void AddPlumbing(IServiceCollection services, ServeOptions options)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddEventStore(options.Postgres);
        // Nobody leaves anything in a session but the listener, who has one of its own: to reset it each time would be half of what a commit sends.
        services.AddSingleton(_ => NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(options.Postgres) { NoResetOnClose = true }));
        services.AddHosted(s => new Checkpoints(s.GetRequiredService<NpgsqlDataSource>(), s.GetRequiredService<ILogger<Checkpoints>>()));
        services.AddHosted(s => new LogListener(
            NpgsqlDataSource.Create(new NpgsqlConnectionStringBuilder(options.Postgres) { Pooling = false }), s.GetRequiredService<NpgsqlDataSource>(),
            s.GetRequiredService<Journal>(), s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<LogListener>>()));
        services.AddHosted<Journal>().AddSingleton<ILedgerReader>(s => s.GetRequiredService<Journal>());
        services.AddSingleton<ReadModelsBuild>();
        services.AddSingleton<Readiness>().AddSingleton<IReadiness>(s => s.GetRequiredService<Readiness>());
        services.AddSingleton<KeyedLock>();
        services.AddSingleton<PodEvents>();
        services.AddSingleton(new PodEventSource(options.Placement.SchedulerName is { Length: > 0 } name ? name : "hami-scheduler"));
        services.AddHosted<PodEventSender>();
        services.AddSingleton(options.Listen);
        services.AddHosted<TlsFiles>();
        services.AddSingleton(options.Cluster);
        services.AddSingleton(s => ClusterAccess.Client(options.Cluster, s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ILogFollower, LogCounter>();
        services.AddHosted<ProjectionLag>();
        services.AddSingleton<OwnFamilies>();
        services.AddMediator(mediator => mediator.ServiceLifetime = ServiceLifetime.Singleton);
        services.AddAccess(options.Access);
        services.AddQuestions();
        services.AddSingleton(_ => new Rows(options.Postgres));
        services.AddSingleton<ChangeFeed>().AddSingleton<ILogFollower>(s => s.GetRequiredService<ChangeFeed>());
        services.AddSingleton(s => new Resuming(
            s.GetRequiredService<ChangeFeed>(), s.GetRequiredService<IDocumentStore>(), s.GetRequiredService<Rows>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ClusterNews>().AddSingleton<ILogFollower>(s => s.GetRequiredService<ClusterNews>());
        services.AddSingleton(s => new ClusterChanges(s.GetRequiredService<ClusterNews>(), s.GetRequiredService<Rows>(), s.GetRequiredService<TimeProvider>()));
        services.AddHosted<ReadProgress>();
        services.AddSingleton(s => new UsageQuestions(s.GetRequiredService<Rows>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new History(new(
            s.GetRequiredService<Rows>().Database, s.GetRequiredService<StoredEvents>(), s.GetRequiredService<IKnownStates>(), s.GetRequiredService<RecentLedgers>())));
        services.AddSingleton(s => new Moments(s.GetRequiredService<ILedgerReader>(), s.GetRequiredService<History>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton(s => new AllocationTrends(s.GetRequiredService<Rows>(), s.GetRequiredService<TimeProvider>()));
        services.AddSingleton<ServerSentEvents>().AddSingleton<GraphQLEndpoint>().AddHostedService<FirstQuestion>();
    }

    private static void AddRooms(IServiceCollection services, ServeOptions options)
    {
        var placement = options.Placement;
        services.AddSingleton(placement);
        services.AddSingleton(placement.Nvidia);

        services.AddSingleton<SeenNodes>();
        services.AddHosted<NodeWatch>();

        services.AddSingleton(new AdmissionRules(placement.SchedulerName, placement.ForceOverwriteDefaultScheduler, placement.Nvidia));

        services.AddHosted<QuotaWatch>();

        services.AddSingleton(new PlacementPolicy(placement.NodePolicy, placement.GpuPolicy));
        services.AddSingleton<PolicyInForce>().AddHosted<PolicyFromFlags>();
        services.AddSingleton(new GivenWorkload(placement.Workload)).AddHosted<WorkloadFromFlags>();
        services.AddSingleton<AskReader>();
        services.AddSingleton<LearningDue>().AddSingleton<ILogFollower>(s => s.GetRequiredService<LearningDue>());
        services.AddHosted<WorkloadLearner>();
        services.AddSingleton(new ExtenderSettings(placement.Mode, placement.ReservedFor));
        services.AddSingleton<ICompanionTable, LiveAllocationTable>();
        services.AddSingleton<ClusterView>().AddSingleton<ILogFollower>(s => s.GetRequiredService<ClusterView>());
        services.AddSingleton<HostRooms>();
        services.AddSingleton<WaitingPods>();
        services.AddHosted<RefusalRecorder>().AddSingleton<IRefusalLog>(s => s.GetRequiredService<RefusalRecorder>());
        services.AddSingleton<Nominations>();
        services.AddHosted<PreemptionRecorder>().AddSingleton<IPreemptionLog>(s => s.GetRequiredService<PreemptionRecorder>());

        services.AddSingleton(placement.NodeLock);
        services.AddSingleton(options.Results);
        services.AddSingleton<NodeLocks>();
        services.AddHosted(s => new ResultSigner(options.Results.Key, s.GetRequiredService<ILogger<ResultSigner>>()));
        services.AddSingleton<PodBinder>();
        services.AddHosted<Settling>();

        services.AddSingleton<SeenPods>().AddSingleton<IPendingPods, PendingPods>();
        services.AddSingleton(s => new LivePods(s.GetRequiredService<AdmissionRules>()));
        services.AddSingleton<DuePods>().AddSingleton<ILogFollower>(s => s.GetRequiredService<DuePods>());
        services.AddSingleton<Adoption>();
        services.AddHosted<PodReconciler>();
        services.AddHosted<PodWatch>();
        services.AddTelemetry(options.Postgres, options.Access, options.Prometheus);

        services.AddSingleton<IPodTouch, PodTouch>();
        services.AddHosted<Waking>().AddSingleton<ILogFollower>(s => s.GetRequiredService<Waking>());

        services.AddSingleton<StoredEvents>().AddSingleton<KeptCheckpoints>().AddSingleton(s => new RecentLedgers(() => s.GetRequiredService<FollowedLog>().Number))
            .AddSingleton<IKnownStates, LiveState>().AddSingleton<LedgerHistory>();
        if (options.Heads is { } heads)
            services.AddSingleton(heads).AddHosted<HeadExport>();
    }

    /// <summary>One instance, both to be asked for and to run in the background.</summary>
    private static IServiceCollection AddHosted<T>(this IServiceCollection services) where T : class, IHostedService =>
        services.AddSingleton<T>().AddHostedService(s => s.GetRequiredService<T>());

    /// <inheritdoc cref="AddHosted{T}(IServiceCollection)"/>
    private static void AddHosted<T>(this IServiceCollection services, Func<IServiceProvider, T> make) where T : class, IHostedService =>
        services.AddSingleton(make).AddHostedService(s => s.GetRequiredService<T>());

    [LoggerMessage(Level = LogLevel.Information, Message = "Accepted for the sake of HAMi's users, without effect here: {Flags}")]
    private static partial void LogIdle(Microsoft.Extensions.Logging.ILogger logger, string flags);
}
