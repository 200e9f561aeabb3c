using Hami.Api.Plumbing.Pages;

namespace Hami.Api.Plumbing.GraphQL;

/// <summary><c>GET /graphql/ui</c>: GraphiQL, from the files its npm package was built into.</summary>
internal static class GraphiQLEndpoint
{
    public static void MapGraphiQL(this IEndpointRouteBuilder routes)
    {
        var files = new BuiltFiles(Path.Combine(AppContext.BaseDirectory, "graphiql"));
        routes.MapGet("/graphql/ui", (HttpContext http) => Serve(http, "index.html"));
        routes.MapGet("/graphql/ui/{file}", Serve);

        IResult Serve(HttpContext http, string file) => files.Page is null
            ? Results.Text("GraphiQL is not built in: run `./hami build` where npm is installed. Queries go to POST /graphql.", statusCode: StatusCodes.Status404NotFound)
            : files.Serve(http, file, "no-cache");
    }
}
