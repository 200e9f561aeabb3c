using System.Net.Sockets;
using GraphQL;
using Hami.Api.Admitting;
using Hami.Api.Binding;
using Hami.Api.Observing;
using Hami.Api.Placing;
using Hami.Api.Plumbing;
using Hami.Api.Plumbing.GraphQL;
using Hami.Api.Registering;
using Hami.Api.Releasing;
using Hami.Domain.Admitting;
using Hami.Domain.Placing;
using k8s;
using Microsoft.AspNetCore.Connections;
using Npgsql;
using Serilog;

namespace Hami.Api;

/// <summary>Puts the rooms together, in the order of the flow.</summary>
internal static class Server
{
    private const long LargestBodyBytes = 64 << 20;

    public static async Task<int> RunAsync(ServeOptions options, CancellationToken cancellationToken)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Host.UseSerilog((_, logging) => logging
            .MinimumLevel.Information()
            .MinimumLevel.Override("Microsoft", Serilog.Events.LogEventLevel.Warning)
            .MinimumLevel.Override("Marten", Serilog.Events.LogEventLevel.Warning)
            .MinimumLevel.Override("System.Net.Http", Serilog.Events.LogEventLevel.Warning)
            .WriteTo.Console(outputTemplate: "{Timestamp:HH:mm:ss.fff} {Level:u3} {SourceContext} {Message:lj}{NewLine}{Exception}"));
        builder.WebHost.UseKestrelHttpsConfiguration().ConfigureKestrel(kestrel =>
        {
            kestrel.Limits.MaxRequestBodySize = LargestBodyBytes;
            if (options.Http is not null)
                kestrel.Listen(options.Http);
            if (options.Https is not null)
            {
                var (certificate, chain) = ServerCertificate.Load(options.CertificateFile!, options.KeyFile!);
                kestrel.Listen(options.Https, listen => listen.UseHttps(tls => (tls.ServerCertificate, tls.ServerCertificateChain) = (certificate, chain)));
            }
        });
        AddPlumbing(builder.Services, options);
        AddRooms(builder.Services, options);

        await using var app = builder.Build();
        app.MapWebhook();
        app.MapFilter();
        app.MapBind();
        app.MapGraphQL();
        app.MapGraphiQL();
        app.MapGet("/healthz", () => "ok");
        app.MapGet("/readyz", (Readiness readiness) =>
            readiness.WhyNot is { } whyNot ? Results.Text(whyNot, statusCode: StatusCodes.Status503ServiceUnavailable) : Results.Text("ok"));
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

    /// <summary>How to reach the cluster: by the kubeconfig given, else <c>KUBECONFIG</c>, else as a pod of it, else the user's own kubeconfig.</summary>
    /// <exception cref="k8s.Exceptions.KubeConfigException">There is none that can be used.</exception>
    internal static KubernetesClientConfiguration ClusterAccess(string? kubeconfig) =>
        kubeconfig is not null ? KubernetesClientConfiguration.BuildConfigFromConfigFile(kubeconfig)
        : Environment.GetEnvironmentVariable("KUBECONFIG") is { Length: > 0 } ? KubernetesClientConfiguration.BuildDefaultConfig() // alone in reading the variable
        : KubernetesClientConfiguration.IsInCluster() ? KubernetesClientConfiguration.InClusterConfig()
        : KubernetesClientConfiguration.BuildConfigFromConfigFile();

    private static void AddPlumbing(IServiceCollection services, ServeOptions options)
    {
        services.AddSingleton(TimeProvider.System);
        services.AddEventStore(options.Postgres);
        services.AddSingleton(_ => NpgsqlDataSource.Create(options.Postgres));
        services.AddHosted<Journal>();
        services.AddSingleton<Readiness>();
        services.AddSingleton<KeyedLock>();
        services.AddSingleton<IKubernetes>(_ => new Kubernetes(ClusterAccess(options.Kubeconfig)));
        services.AddMediator(mediator => mediator.ServiceLifetime = ServiceLifetime.Singleton);
        services.AddGraphQL(graphql => graphql
            .AddAutoSchema<Query>()
            .AddSystemTextJson()
            .AddErrorInfoProvider(errors => errors.ExposeExceptionDetails = false));
        GlobalSwitches.EnableReadDescriptionFromXmlDocumentation = true;
    }

    private static void AddRooms(IServiceCollection services, ServeOptions options)
    {
        services.AddSingleton<SeenNodes>();
        services.AddHosted<NodeWatch>();

        services.AddSingleton(AdmissionDefaults.Hami with { SchedulerName = options.SchedulerName });

        services.AddSingleton(new PlacementPolicy(
            NodePolicies.TryParse(options.NodePolicy) ?? NodePolicy.Binpack, CardPolicy.TryParse(options.GpuPolicy) ?? CardPolicy.Spread));
        services.AddSingleton(ExtenderSettings.Default);
        services.AddSingleton<ICompanionTable, LiveAllocationTable>();
        services.AddSingleton<ClusterView>().AddSingleton<ILogFollower>(s => s.GetRequiredService<ClusterView>());
        services.AddSingleton<WaitingPods>();
        services.AddHosted<RefusalRecorder>();

        services.AddSingleton<PodBinder>();
        services.AddHosted<Settling>();

        services.AddSingleton<SeenPods>();
        services.AddSingleton<DuePods>().AddSingleton<ILogFollower>(s => s.GetRequiredService<DuePods>());
        services.AddHosted<PodReconciler>();
        services.AddHosted<PodWatch>();

        services.AddHosted<Waking>().AddSingleton<ILogFollower>(s => s.GetRequiredService<Waking>());
    }

    /// <summary>One instance, both to be asked for and to run in the background.</summary>
    private static IServiceCollection AddHosted<T>(this IServiceCollection services) where T : class, IHostedService =>
        services.AddSingleton<T>().AddHostedService(s => s.GetRequiredService<T>());
}
