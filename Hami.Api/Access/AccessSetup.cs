namespace Hami.Api.Access;

/// <summary>Puts the gate up that was asked for.</summary>
internal static partial class AccessSetup
{
    public static void AddAccess(this IServiceCollection services, AccessOptions options)
    {
        services.AddSingleton(options);
        services.AddSingleton<AccessLog>();
        services.AddScoped<Asker>();
        switch (options)
        {
            case { Mode: AuthMode.Kubernetes }:
                services.AddSingleton<IGate, KubernetesGate>();
                break;
            case { Mode: AuthMode.Oidc, Oidc: { } oidc }:
                OidcGate.AddTo(services, oidc);
                services.AddSingleton<IGate>(new OidcGate(oidc));
                break;
            default:
                services.AddSingleton<IGate, OpenGate>();
                break;
        }
    }

    /// <summary>Says what an admin should know.</summary>
    public static void Say(this AccessOptions options, ILogger logger)
    {
        if (options.Mode is AuthMode.None)
            LogOpen(logger);
        else
            LogGuarded(logger, options.Mode is AuthMode.Kubernetes ? "the API server" : $"the OpenID provider {options.Oidc!.Issuer}");
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Whoever reaches GraphQL sees everything: --auth-mode none is for a lab. Give --auth-mode kubernetes or oidc.")]
    private static partial void LogOpen(ILogger logger);

    [LoggerMessage(Level = LogLevel.Information, Message = "Who asks GraphQL is told by {Who}.")]
    private static partial void LogGuarded(ILogger logger, string who);
}
